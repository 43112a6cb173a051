//! Berkeley DB's hash access method (`Packages`, Red Hat and kin until 8 and some later images): hash pages whose values
//! lie on chains of overflow pages. Format: Berkeley DB's `dbinc/db_page.h`; the byte order is that of the machine that
//! wrote it.

use super::super::bytes::{array, position, slice};
use super::{Broken, Found};

const HASH_MAGIC: u32 = 0x0006_1561;
const PAGE_HEADER: usize = 26;
const UNSORTED_HASH_PAGE: u8 = 2;
const HASH_PAGE: u8 = 13;
const OVERFLOW_PAGE: u8 = 7;
/// The value stands in the page itself.
const KEY_DATA: u8 = 1;
/// The value stands on overflow pages.
const OFF_PAGE: u8 = 3;
/// Shorter than any package header: the database's own counters.
const SHORTEST_HEADER: usize = 24;

pub(super) fn is_bdb(data: &[u8]) -> bool {
    Order::of(data).is_some()
}

pub(super) fn read(data: &[u8], found: &mut Found) -> Result<(), Broken> {
    let order = Order::of(data).ok_or("no hash database")?;
    let page_size = position(order.u32(data, 20).ok_or("the metadata page is cut off")?);
    if !page_size.is_power_of_two() || !(512..=65_536).contains(&page_size) {
        return Err("a page size that Berkeley DB does not have");
    }
    if data.get(24) != Some(&0) {
        return Err("it is encrypted");
    }
    let file = Pages { data, page_size, order };
    // Pages on overflow chains are visited once: a cycle ends, and no byte is used twice.
    let mut visited = vec![false; data.len() / page_size];
    let mut chain = Vec::new();
    let last = position(order.u32(data, 32).ok_or("the metadata page is cut off")?);
    let there = visited.len().saturating_sub(1);
    for number in 1..=last.min(there) {
        let Some(page) = file.page(number) else { break };
        if !matches!(page.get(25), Some(&(HASH_PAGE | UNSORTED_HASH_PAGE))) {
            continue;
        }
        let entries = usize::from(order.u16(page, 20).unwrap_or(0));
        // Keys have the even numbers, values the odd ones.
        for entry in (1..entries).step_by(2) {
            let value = match file.item(page, entry) {
                Some((OFF_PAGE, item)) => {
                    file.overflow(item, &mut visited, &mut chain).ok_or("a chain of overflow pages is broken")?;
                    chain.as_slice()
                }
                Some((KEY_DATA, item)) => item.get(1..).unwrap_or_default(),
                Some(_) => continue,
                None => return Err("an item outside of its page"),
            };
            if value.len() >= SHORTEST_HEADER && !found.header(value) {
                return Ok(());
            }
        }
    }
    if last > there { Err("pages are missing at its end") } else { Ok(()) }
}

/// The byte order of the machine that wrote the file.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn of(data: &[u8]) -> Option<Self> {
        [Self::Little, Self::Big].into_iter().find(|order| order.u32(data, 12) == Some(HASH_MAGIC))
    }

    fn u16(self, data: &[u8], offset: usize) -> Option<u16> {
        let bytes = array(data, offset)?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    fn u32(self, data: &[u8], offset: usize) -> Option<u32> {
        let bytes = array(data, offset)?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }
}

struct Pages<'a> {
    data: &'a [u8],
    page_size: usize,
    order: Order,
}

impl<'a> Pages<'a> {
    fn page(&self, number: usize) -> Option<&'a [u8]> {
        slice(self.data, number.checked_mul(self.page_size)?, self.page_size)
    }

    /// Type and bytes of an item. Items are laid from the page's end downwards.
    fn item(&self, page: &'a [u8], number: usize) -> Option<(u8, &'a [u8])> {
        let offset = |number: usize| self.order.u16(page, PAGE_HEADER + 2 * number).map(usize::from);
        let item = page.get(offset(number)?..offset(number.checked_sub(1)?)?)?;
        Some((*item.first()?, item))
    }

    /// The value that an item of type [`OFF_PAGE`] points at.
    fn overflow(&self, item: &[u8], visited: &mut [bool], value: &mut Vec<u8>) -> Option<()> {
        value.clear();
        let mut number = position(self.order.u32(item, 4)?);
        let length = position(self.order.u32(item, 8)?);
        while value.len() < length {
            if std::mem::replace(visited.get_mut(number)?, true) {
                return None;
            }
            let page = self.page(number)?;
            if page.get(25) != Some(&OVERFLOW_PAGE) {
                return None;
            }
            let used = usize::from(self.order.u16(page, 22)?);
            let part = slice(page, PAGE_HEADER, used.min(length - value.len()))?;
            if part.is_empty() {
                return None;
            }
            value.extend_from_slice(part);
            number = position(self.order.u32(page, 16)?);
        }
        Some(())
    }
}
