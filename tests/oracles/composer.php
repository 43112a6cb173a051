<?php
// Composer's Semver (Debian's php-composer-semver).
require '/usr/share/php/Composer/Semver/autoload.php';
$parser = new Composer\Semver\VersionParser();
while (($line = fgets(STDIN)) !== false) {
    [$a, $b] = explode("\t", rtrim($line, "\n"));
    try {
        $a = $parser->normalize($a);
        $b = $parser->normalize($b);
    } catch (UnexpectedValueException $e) {
        echo "invalid\n";
        continue;
    }
    if (strpos($a, 'dev-') === 0 || strpos($b, 'dev-') === 0) {
        echo "invalid\n";
    } elseif (Composer\Semver\Comparator::lessThan($a, $b)) {
        echo "<\n";
    } elseif (Composer\Semver\Comparator::greaterThan($a, $b)) {
        echo ">\n";
    } else {
        echo "=\n";
    }
}
