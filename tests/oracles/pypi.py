# PyPA's packaging. Lines of three fields ask for a range instead of a version.
import sys
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

for line in sys.stdin:
    a, b, *ranges = line.rstrip("\n").split("\t")
    try:
        if ranges:
            sets = (SpecifierSet(text) for text in ranges[0].split(" || "))
            print("in" if any(s.contains(a, prereleases=True) for s in sets) else "out")
            continue
        a, b = Version(a), Version(b)
        print("<" if a < b else ">" if a > b else "=")
    except InvalidVersion:
        print("invalid")
