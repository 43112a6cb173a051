//! Strings as the programs have them, and the programs of this machine.

use std::path::Path;
use std::process::Command;

use super::super::super::extract_bytes;
use super::*;

fn shown(fact: Option<Fact>) -> Option<String> {
    fact.map(|fact| match fact {
        Fact::Package(p) => format!("{} {}", p.name, p.version),
        other => panic!("{other:?}"),
    })
}

#[test]
fn versions_are_found_by_their_marks() {
    for (file, data, expected) in [
        ("node", "\0node.js/v18.17.1\0", Some("node 18.17.1")),
        ("node", "\0v1.2.3\0node.js/v18.17.1\0", Some("node 18.17.1")),
        ("node", "\0node v0.10.48\0", Some("node 0.10.48")),
        ("node", "\0v4.9.1\0", Some("node 4.9.1")),
        ("deno", "Deno/1.41.0\0", Some("deno 1.41.0")),
        ("python3.11", "\x003.11.x\x003.11.4\0", Some("python 3.11.4")),
        ("libpython3.13.so.1.0", "\x003.13.0rc1\0", Some("python 3.13.0rc1")),
        ("libpython3.so", "\x003.13.0\0", None),
        ("python", "\x003.13.0\0", None),
        ("python3", "\x003.13.0\0\0lib/python3.13\0", Some("python 3.13.0")),
        ("python", "\x003.13.0\0\0lib/python3.13/lib-dynload\0\x003.13.0\0", Some("python 3.13.0")),
        ("python3", "\x003.13.0\0\0lib/python3.13\0lib/python3.12\0", None),
        ("python3", "\x003.13.0\0\0lib/python3.13\0\x003.13.1\0", None),
        ("python2", "\x003.13.0\0\0lib/python3.13\0", None),
        ("python3-config", "\x003.13.0\0\0lib/python3.13\0", None),
        ("libpypy3.9-c.so", "[PyPy 7.3.13 with GCC]", Some("pypy 7.3.13")),
        ("nginx", "nginx/\0nginx version: nginx/1.25.3\0", Some("nginx 1.25.3")),
        ("nginx", "nginx version: openresty/1.21.4.1\0", Some("nginx 1.21.4.1")),
        ("httpd", "Apache/2.4.58 (Unix)\0", Some("apache 2.4.58")),
        ("haproxy", "<b>HAProxy version 2.8.3-86e043a, released 2023/09/07</b>", Some("haproxy 2.8.3")),
        ("haproxy", "HA-Proxy version 1.8.31 2023/01/01\0", Some("haproxy 1.8.31")),
        ("haproxy", "\0version 2.4.0-6cbbecf, released 2021/05/14\0", Some("haproxy 2.4.0")),
        ("envoy", "\x001.28.7\0x\0envoy_reloadable_features\0", Some("envoy 1.28.7")),
        ("envoy", "\x001.28.7\0", None),
        ("memcached", "memcached 1.6.21\0", Some("memcached 1.6.21")),
        ("redis-server", "x\x007.2.4buildkitsandbox-1704805203000000000\0", Some("redis 7.2.4")),
        ("redis-server", "x\x006.2.101a2b3c4d5e6f-170480520300\0", Some("redis 6.2.10")),
        ("redis-server", "Server started, Redis version 2.8.23\0", Some("redis 2.8.23")),
        ("redis-server", "x\0a-b-c\0", None),
        ("valkey-server", "\0valkey9.0.0buildkitsandbox-1764887574000000000\0", Some("valkey 9.0.0")),
        ("postgres", "postgres (PostgreSQL) 15.4 (Debian 15.4-1)\0", Some("postgresql 15.4")),
        ("php8.2", "X-Powered-By: PHP/8.2.10\0", Some("php 8.2.10")),
        ("libruby.so.3.2", "ruby 3.2.2 (2023-03-30 revision e51014f9c0)", Some("ruby 3.2.2")),
        ("ruby", "ruby \0ruby 2.7.7p221 (2022-11-24 revision 168ec2b1e5)", Some("ruby 2.7.7")),
        ("ruby", "ruby 3.4.0preview1 (2024-05-16 master 9d69619623)", Some("ruby 3.4.0preview1")),
        ("perl", "/usr/local/lib/perl5/5.38.2/x\0", Some("perl 5.38.2")),
        ("libperl.so.5.36", "\0PERL_INTERNAL_RAND_SEED\0v5.36.0\0", Some("perl 5.36.0")),
        ("lua5.4", "Lua 5.4.6  Copyright\0", Some("lua 5.4.6")),
        ("bash", "@(#)Bash version 5.2.15(1) release GNU\0", Some("bash 5.2.15")),
        ("busybox", "BusyBox v1.36.1 (2023-05-18)", Some("busybox 1.36.1")),
        ("getopt", "\0util-linux 2.38.1\0", Some("util-linux 2.38.1")),
        ("libcrypto.so.1.1", "OpenSSL 1.1.1w  11 Sep 2023", Some("openssl 1.1.1w")),
        ("openssl", "OpenSSL 3.0.0-beta1 17 Jun 2021\0", Some("openssl 3.0.0-beta1")),
        ("openssl", "\0OpenSSL 1.1.1 (compatible; AWS-LC 1.69.0)\0", Some("aws-lc 1.69.0")),
        ("openssl", "OpenSSL \0 OpenSSL 3\0", None),
        ("mysqld", "\0/build/mysql-8.0.35/sql/mysqld.cc\0", Some("mysql 8.0.35")),
        ("mysql", "shutdown\x008.0.37\0\0\0\0\0mysql_real_escape\0", Some("mysql 8.0.37")),
        ("mysqld", "\0/x/mysql-8.0\0", None),
        ("mysqld", "/b/percona-server-8.0.35-27/sql\0", Some("percona-server 8.0.35")),
        ("mysqld", "/b/Percona-XtraDB-Cluster-8.0.35/sql\0", Some("percona-xtradb-cluster 8.0.35")),
        ("xtrabackup", "/b/percona-xtrabackup-8.0.35-31/x\0", Some("percona-xtrabackup 8.0.35")),
        ("mariadbd", "\x0010.11.6-MariaDB-1:10.11.6+maria~deb12\0", Some("mariadb 10.11.6")),
        ("mysqld", "5.5.5-10.6.16-MariaDB\0/mysql-8.0.35/", Some("mariadb 10.6.16")),
        ("mariadbd", "%s-MariaDB", None),
        ("mongod", "x\x006.0.27\0tcmalloc\0", Some("mongodb 6.0.27")),
        ("mongod", "x\x007.0.28\0\0heap_size\0", Some("mongodb 7.0.28")),
        ("mongos", "x\x008.0.17\0cppdefines\0", Some("mongodb 8.0.17")),
        ("mongod", "\0x\0tcmalloc\0", None),
        ("arangosh", "\x003.11.4 enterprise [linux] 64bit\0", Some("arangodb 3.11.4")),
        ("arangosh", "\x003.11.4 [linux] 64bit\0", Some("arangodb 3.11.4")),
        ("ldapsearch", "$OpenLDAP: ldapsearch 2.4.45 $\0", Some("openldap 2.4.45")),
        ("slapd", "@(#) $OpenLDAP: slapd 2.6.3 $\0", Some("openldap 2.6.3")),
        ("fluent-bit", "\x003.0.2\0%sFluent Bit v%s\0", Some("fluent-bit 3.0.2")),
        ("fluent-bit", "\x002.2.1\0\0\0Fluent Bit\0", Some("fluent-bit 2.2.1")),
        ("fluent-bit", "\x001.7.0\0\x1b[1m\0%sFluent Bit\0", Some("fluent-bit 1.7.0")),
        ("java", "\0openjdk\0java\x0017.0\x0017.0.10+7\0", Some("java 17.0.10")),
        ("java", "\0openjdk\0java\x000.0\x0017.0.15+6-Debian-1deb12u1\0-J-ms", Some("java 17.0.15")),
        ("java", "\0openjdk\0java\x001.8\x001.8.0_352-b08\0", Some("java 1.8.0_352")),
        ("java", "\x000.0\0\0\0\x0011.0.22+7\0\0\0openjdk\0java\0", Some("java 11.0.22")),
        ("jdb", "\0java\x001.8\0\0\x001.8.0-foreman_2022_01_20_09_33-b00\0", Some("java 1.8.0")),
        ("java", "\0openjdk\0java\0x\0y\0", None),
        ("lighttpd", "\0lighttpd/1.4.76\0", Some("lighttpd 1.4.76")),
        ("squid", "squid/5.7\0", Some("squid 5.7")),
        ("proftpd", "ProFTPD Version 1.3.8b\0", Some("proftpd 1.3.8b")),
        ("sshd", "OpenSSH_9.2p1 Debian-2\0", Some("openssh 9.2p1")),
        ("erlexec", "/usr/src/otp_src_25.3.2.7/erts/etc\0", Some("erlang 25.3.2.7")),
        ("erlexec", "/usr/local/src/otp-25.3.2.7/erts/etc\0", Some("erlang 25.3.2.7")),
        ("beam.smp", "\0\x0026.1.2\0\0\0Erlang/OTP\0", Some("erlang 26.1.2")),
        ("libstd-0fb4a5d.so", "rustc version 1.75.0 (82e1608df)\0", Some("rust 1.75.0")),
        ("libjulia-internal.so.1.9", "__init__\x001.9.4\0", Some("julia 1.9.4")),
        ("dart", "Dart,GC\"\x003.5.2 (stable) (Wed)\0", Some("dart 3.5.2")),
        ("dart", "Dart,GC\"\x003.6.0-216.1.beta (beta) (Wed)\0", Some("dart 3.6.0-216.1.beta")),
        ("dart", "all (stable)\0", None),
        ("swipl", "/usr/lib/swipl-9.0.4/\0", Some("swipl 9.0.4")),
        ("ghc-9.4.7", "\0GHC 9.4.7\0", Some("ghc 9.4.7")),
        ("ghc", "\0libHSghc-8.10.4-ghc8.10.4.so\0", Some("ghc 8.10.4")),
        ("cabal", "\0Cabal-3.10.1.0-inplace\0", Some("cabal 3.10.1.0")),
        ("stack", "Version 2.13.1, Git revision\0", Some("stack 2.13.1")),
        ("gcc", "GCC: (GNU) 12.3.0\0", Some("gcc 12.3.0")),
        ("g++-12", " zstd\x0012.2.0\0(Debian 12.2.0-14) \0gcc version %s %s\0", Some("gcc 12.2.0")),
        ("gcc", "\x0012.2.0\0gcc version %s %s\0", None),
        ("git", "git/2.39.5\0GIT_USER_AGENT\0", Some("git 2.39.5")),
        ("curl", "\0curl/8.5.0\0", Some("curl 8.5.0")),
        ("libcurl.so.4", "\0libcurl/8.5.0\0", Some("curl 8.5.0")),
        ("ffmpeg", "%s version 6.1.1 Copyright\0", Some("ffmpeg 6.1.1")),
        ("libavutil.so.58", "FFmpeg version 6.1.1\0", Some("ffmpeg 6.1.1")),
        ("chrome", "\x00127.0.6533.119\0Default\0", Some("chrome 127.0.6533.119")),
        ("libQt5Core.so.5.15.2", "\0\0Qt 5.15.2 (x86_64-little_endian-lp64)\0", Some("qtbase 5.15.2")),
        ("libQtCore.so.4", "QtCore library version 4.8.7\0", Some("qtbase 4.8.7")),
        ("jq", "failed: %s\n\x001.6\0DEBUG:\0", Some("jq 1.6")),
        ("gzip", "zipping\n\x001.12\0\0", Some("gzip 1.12")),
        ("zstd", "Enabled\0v1.5.4\0Zstandard CLI\0", Some("zstd 1.5.4")),
        ("xz", "xz (XZ Utils) 5.6.1\n\0", Some("xz 5.6.1")),
        ("libz.so.1.2.13", " deflate 1.2.13 Copyright", Some("zlib 1.2.13")),
        ("libexpat.so.1.8.10", "\0expat_2.5.0\0", Some("expat 2.5.0")),
        ("sqlcipher", "\x003.44.2\x004.5.6\0community\0", Some("sqlcipher 4.5.6")),
        (
            "composer",
            "'name' => 'composer/composer',\n 'pretty_version' => '2.7.1',\n",
            Some("composer/composer 2.7.1"),
        ),
        ("wp", "#!/usr/bin/env php\nwp-cli/wp-cli 2.9.0\n", Some("wp-cli/wp-cli 2.9.0")),
    ] {
        assert_eq!(shown(find(file, data.as_bytes())).as_deref(), expected, "{file}: {data:?}");
    }
    assert!(!is_known("ls"));
    assert!(is_library("libssl.so.3") && !is_library("libc.so.6") && !is_library("openssl"));
    for program in PROGRAMS {
        assert!(CLAIM.contains(program.name) || SCRIPTS_CLAIM.contains(program.name), "{}", program.name);
    }
}

/// Of several forms the best one speaks, whichever stands first in the file.
#[test]
fn a_part_of_a_file_says_how_good_its_form_is() {
    let (place, _) = best("node", b"\0v1.2.3\0", usize::MAX).expect("the last form");
    assert_eq!(place, 2);
    assert_eq!(best("node", b"\0v1.2.3\0", place), None);
    let (place, fact) = best("node", b"\0v1.2.3\0node.js/v18.17.1\0", place).expect("the first form");
    assert_eq!((place, shown(Some(fact)).as_deref()), (0, Some("node 18.17.1")));
}

/// What is found in the file of a program of this machine is what the program prints.
#[test]
fn programs_of_this_machine_print_what_is_found_in_them() {
    // The file, the name that it has in the table, and what makes the program print its version.
    let programs = [
        ("/usr/bin/gcc", "gcc", "--version"),
        ("/usr/bin/g++", "g++", "--version"),
        ("/usr/bin/perl", "perl", "--version"),
        ("/usr/bin/python3", "python3", "--version"),
        ("/usr/bin/git", "git", "--version"),
        ("/usr/bin/node", "node", "--version"),
        ("/usr/bin/php", "php", "--version"),
        ("/usr/bin/openssl", "openssl", "version"),
        ("/usr/bin/curl", "curl", "--version"),
        ("/usr/bin/jq", "jq", "--version"),
        ("/usr/bin/zstd", "zstd", "--version"),
        ("/usr/bin/xz", "xz", "--version"),
        ("/usr/bin/gzip", "gzip", "--version"),
        ("/bin/bash", "bash", "--version"),
        ("/bin/busybox", "busybox", "--help"),
        ("/usr/bin/getopt", "getopt", "--version"),
        ("/usr/bin/ssh", "ssh", "-V"),
        ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "java", "-version"),
        ("/usr/lib/postgresql/15/bin/postgres", "postgres", "--version"),
        ("/usr/sbin/nginx", "nginx", "-v"),
        ("/usr/sbin/haproxy", "haproxy", "-v"),
        ("/usr/bin/redis-server", "redis-server", "--version"),
        ("/usr/bin/ffmpeg", "ffmpeg", "-version"),
        ("/usr/bin/lua5.4", "lua5.4", "-v"),
        ("/usr/bin/swipl", "swipl", "--version"),
        ("/usr/bin/ghc", "ghc", "--version"),
        ("/usr/bin/dart", "dart", "--version"),
    ];
    let mut found = 0;
    for (path, name, argument) in programs {
        let Ok(file) = Path::new(path).canonicalize() else { continue };
        let content = std::fs::read(&file).unwrap_or_default();
        // What comes with a distribution may be a script that starts another, or have its version in a library.
        let real = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = if is_known(real) { real } else { name };
        let facts = extract_bytes(&format!("usr/bin/{name}"), &content).unwrap_or_default();
        let of_table = |fact: &&Fact| matches!(fact, Fact::Package(p) if p.known_by == Some(KnownBy::VersionString));
        let Some(Fact::Package(package)) = facts.iter().find(of_table) else {
            println!("{path}: says nothing");
            continue;
        };
        let Ok(said) = Command::new(&file).arg(argument).output() else { continue };
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said).replace("_", ".");
        let version = package.version.replace('_', ".");
        assert!(said.contains(&version), "{path}: found {version}, but it prints {said}");
        found += 1;
    }
    println!("{found} programs were compared with what they print");
}

/// Libraries have no command that prints their version: what they are linked into says it.
#[test]
fn libraries_of_this_machine_say_what_they_are() {
    let directory = Path::new("/usr/lib/x86_64-linux-gnu");
    for (file, name) in [
        ("libssl.so.3", None),
        ("libcrypto.so.3", Some("openssl")),
        ("libz.so.1", Some("zlib")),
        ("libexpat.so.1", Some("expat")),
        ("libcurl.so.4", Some("curl")),
        ("libperl.so.5.36", Some("perl")),
        ("libpython3.11.so.1.0", Some("python")),
        ("libruby-3.1.so.3.1", Some("ruby")),
    ] {
        let Ok(content) = std::fs::read(directory.join(file)) else { continue };
        let facts = extract_bytes(&format!("usr/lib/{file}"), &content).expect("a library");
        match (facts.as_slice(), name) {
            ([Fact::Package(found)], Some(name)) => assert_eq!(found.name, name, "{file}"),
            // OpenSSL says it in one of its two libraries.
            (_, None) => {}
            (facts, _) => panic!("{file}: {facts:?}"),
        }
    }
}
