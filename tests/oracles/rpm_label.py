# rpm's labelCompare (package python3-rpm).
import sys
import rpm


def label(text):
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "0", text
    # A version without a release is not one with an empty release.
    version, _, release = rest.rpartition("-") if "-" in rest else (rest, "", None)
    if not epoch.isdigit() or not version:
        raise ValueError(text)
    return (epoch, version, release)


for line in sys.stdin:
    a, b = line.rstrip("\n").split("\t")
    try:
        print("<=>"[rpm.labelCompare(label(a), label(b)) + 1])
    except ValueError:
        print("invalid")
