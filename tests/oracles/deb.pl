# Debian's own tools are written in Perl: Dpkg::Version (package libdpkg-perl).
use strict;
use warnings;
use Dpkg::Version qw(version_check version_compare);
$| = 0;
while (my $line = <STDIN>) {
    chomp $line;
    my ($a, $b) = split /\t/, $line, -1;
    my ($valid_a) = version_check($a);
    my ($valid_b) = version_check($b);
    if (!$valid_a || !$valid_b) { print "invalid\n"; next; }
    my $order = version_compare($a, $b);
    print $order < 0 ? "<\n" : $order > 0 ? ">\n" : "=\n";
}
