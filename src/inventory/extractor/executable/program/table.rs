//! The programs that are known, in the order in which they are looked for: of those whose files have the same names, the
//! descendant comes first. Names are those of Bitnami's advisories where these speak of them.

use super::FileName::{Begins, Is};
use super::Form::{Alone, Before, Behind, Near, Own};
use super::{FileName, Form, Program, gcc, java, mariadb, python, redis, ruby};
use crate::model::PackageKind;

const fn program(name: &'static str, files: &'static [FileName], parts: usize, forms: &'static [Form]) -> Program {
    Program { name, kind: PackageKind::Generic, files, parts, forms }
}

/// A package of Packagist that is one script.
const fn script(name: &'static str, files: &'static [FileName], forms: &'static [Form]) -> Program {
    Program { name, kind: PackageKind::Composer, files, parts: 3, forms }
}

const MYSQL: &[FileName] = &[Is("mysqld"), Is("mariadbd"), Is("mysql"), Is("mariadb")];
const OPENSSL: &[FileName] = &[Is("openssl"), Begins("libssl.so"), Begins("libcrypto.so")];

pub(super) const PROGRAMS: &[Program] = &[
    // Before release 8 the version stands alone.
    program(
        "node",
        &[Is("node"), Is("nodejs")],
        3,
        &[Behind("node.js/v", ""), Behind("\0node v", "\0"), Behind("\0v", "\0")],
    ),
    program("deno", &[Is("deno")], 3, &[Behind("Deno/", "")]),
    program("python", &[Begins("python"), Begins("libpython")], 3, &[Own(python)]),
    program("pypy", &[Begins("libpypy")], 3, &[Behind("[PyPy ", "")]),
    program(
        "nginx",
        &[Is("nginx"), Is("nginx-debug")],
        3,
        &[Behind("nginx/", ""), Behind("nginx version: openresty/", "")],
    ),
    program("apache", &[Is("httpd"), Is("apache2")], 3, &[Behind("Apache/", "")]),
    program(
        "haproxy",
        &[Is("haproxy")],
        3,
        &[Behind("HAProxy version ", ""), Behind("HA-Proxy version ", ""), Before(", released 20")],
    ),
    program(
        "envoy",
        &[Is("envoy")],
        3,
        &[Near("1.", &["envoy_reloadable_features", "envoy.reloadable_features", "ValidationError", "RELEASE"])],
    ),
    program("memcached", &[Is("memcached")], 3, &[Behind("memcached ", "")]),
    program("redis", &[Is("redis-server")], 3, &[Own(redis), Behind("Redis version ", "")]),
    program("valkey", &[Is("valkey-server")], 3, &[Own(redis)]),
    program("postgresql", &[Is("postgres")], 2, &[Behind("postgres (PostgreSQL) ", "")]),
    program("mariadb", MYSQL, 3, &[Own(mariadb)]),
    program("percona-server", MYSQL, 3, &[Behind("/percona-server-", "")]),
    program("percona-xtradb-cluster", MYSQL, 3, &[Behind("/Percona-XtraDB-Cluster-", "")]),
    program("mysql", MYSQL, 3, &[Behind("/mysql-", ""), Before("\0mysql_")]),
    program("percona-xtrabackup", &[Is("xtrabackup")], 3, &[Behind("/percona-xtrabackup-", "")]),
    program(
        "mongodb",
        &[Is("mongod"), Is("mongos")],
        3,
        &[Before("\0tcmalloc"), Before("\0heap_size"), Before("\0cppdefines")],
    ),
    program("arangodb", &[Is("arangosh"), Is("arangod")], 3, &[Before(" [linux]"), Before(" enterprise [linux]")]),
    program("openldap", &[Is("ldapsearch")], 3, &[Behind("$OpenLDAP: ldapsearch ", "")]),
    program("openldap", &[Is("slapd")], 3, &[Behind("$OpenLDAP: slapd ", "")]),
    program(
        "fluent-bit",
        &[Is("fluent-bit")],
        3,
        &[Before("\0Fluent Bit"), Before("\0%sFluent Bit"), Before("\0\x1b[1m\0%sFluent Bit")],
    ),
    program("php", &[Begins("php"), Begins("libphp")], 3, &[Behind("X-Powered-By: PHP/", "")]),
    program("ruby", &[Is("ruby"), Begins("libruby.so"), Begins("libruby-")], 3, &[Own(ruby)]),
    program(
        "perl",
        &[Is("perl"), Begins("perl5"), Begins("libperl.so")],
        3,
        &[Behind("lib/perl5/", ""), Behind("share/perl/", ""), Behind("\0v", "\0")],
    ),
    program("lua", &[Begins("lua"), Begins("liblua")], 3, &[Behind("Lua ", "")]),
    program("java", &[Is("java"), Is("javac"), Is("jdb")], 1, &[Own(java)]),
    program(
        "erlang",
        &[Is("erlexec"), Begins("beam.")],
        2,
        &[Behind("/otp_src_", ""), Behind("/src/otp-", "/erts/"), Before("\0Erlang/OTP")],
    ),
    program("rust", &[Is("rustc"), Begins("librustc_driver-"), Begins("libstd-")], 3, &[Behind("rustc version ", "")]),
    program("julia", &[Begins("libjulia-internal.so")], 3, &[Behind("__init__\0", "")]),
    program("dart", &[Is("dart")], 3, &[Before(" (stable)"), Before(" (beta)"), Before(" (dev)")]),
    program("swipl", &[Is("swipl"), Begins("libswipl.so")], 3, &[Behind("swipl-", "/")]),
    program("ghc", &[Begins("ghc")], 3, &[Behind("\0GHC ", "\0"), Behind("\0libHSghc-", "-")]),
    program("cabal", &[Is("cabal")], 3, &[Behind("\0Cabal-", "-"), Behind("cabal-install-", "-")]),
    program("stack", &[Is("stack")], 3, &[Behind("Version ", ", Git")]),
    program("gcc", &[Begins("gcc"), Begins("g++"), Is("c++")], 3, &[Behind("GCC: (GNU) ", ""), Own(gcc)]),
    program("git", &[Is("git")], 3, &[Behind("git/", "\0")]),
    program("bash", &[Is("bash")], 3, &[Behind("@(#)Bash version ", "")]),
    program("busybox", &[Is("busybox"), Is("[")], 3, &[Behind("BusyBox v", "")]),
    program("util-linux", &[Is("getopt")], 2, &[Behind("\0util-linux ", "\0")]),
    program("aws-lc", OPENSSL, 3, &[Behind("AWS-LC ", ")")]),
    program("openssl", OPENSSL, 3, &[Behind("OpenSSL ", "")]),
    program("openssh", &[Is("sshd"), Is("ssh")], 2, &[Behind("OpenSSH_", "")]),
    program("curl", &[Is("curl"), Begins("libcurl.so")], 3, &[Behind("curl/", "")]),
    program("lighttpd", &[Is("lighttpd")], 3, &[Behind("lighttpd/", "")]),
    program("squid", &[Is("squid")], 2, &[Behind("squid/", "")]),
    program("proftpd", &[Is("proftpd")], 3, &[Behind("ProFTPD Version ", "")]),
    program("ffmpeg", &[Is("ffmpeg"), Is("ffprobe")], 2, &[Behind("%s version ", ""), Behind("FFmpeg version ", "")]),
    program(
        "ffmpeg",
        &[
            Begins("libavcodec.so"),
            Begins("libavdevice.so"),
            Begins("libavfilter.so"),
            Begins("libavformat.so"),
            Begins("libavutil.so"),
            Begins("libswresample.so"),
            Begins("libswscale.so"),
        ],
        2,
        &[Behind("FFmpeg version ", "")],
    ),
    program("chrome", &[Is("chrome")], 4, &[Before("\0Default")]),
    program(
        "qtbase",
        &[Begins("libQt5Core.so"), Begins("libQt6Core.so"), Begins("libQtCore.so")],
        3,
        &[Behind("\0Qt ", " ("), Behind("QtCore library version ", "")],
    ),
    program("jq", &[Is("jq")], 2, &[Alone("1.")]),
    program("gzip", &[Is("gzip")], 2, &[Alone("1.")]),
    program("zstd", &[Is("zstd")], 3, &[Behind("\0v", "\0")]),
    program("xz", &[Is("xz")], 3, &[Behind("(XZ Utils) ", "")]),
    program("zlib", &[Begins("libz.so")], 3, &[Behind("deflate ", "")]),
    program("expat", &[Begins("libexpat.so")], 3, &[Behind("expat_", "")]),
    // SQLCipher 4 holds SQLite 3.
    program("sqlcipher", &[Is("sqlcipher")], 3, &[Alone("4.")]),
    script("composer/composer", &[Is("composer"), Is("composer.phar")], &[Behind("'pretty_version' => '", "'")]),
    script("wp-cli/wp-cli", &[Is("wp"), Is("wp-cli.phar")], &[Behind("wp-cli/wp-cli ", "")]),
];

/// The lines of the table of coverage.
pub(in super::super) const CLAIM: &str = "well-known programs and libraries without a package, by the version they print: node, \
                                deno, python, pypy, nginx, apache, haproxy, envoy, memcached, redis, valkey, postgresql, \
                                mysql, mariadb, percona-server, percona-xtradb-cluster, percona-xtrabackup, mongodb, \
                                arangodb, openldap, fluent-bit, php, ruby, perl, lua, java, erlang, rust, julia, dart, \
                                swipl, ghc, cabal, stack, gcc, git, bash, busybox, util-linux, openssl, aws-lc, openssh, \
                                curl, lighttpd, squid, proftpd, ffmpeg, chrome, qtbase, jq, gzip, zstd, xz, zlib, expat, \
                                sqlcipher";
pub(in super::super) const SCRIPTS_CLAIM: &str = "programs of PHP in one file, by their version: composer/composer \
                                                  (`composer`, `composer.phar`), wp-cli/wp-cli (`wp`, `wp-cli.phar`)";
