// npm's own semver; its folder is the first argument. Lines of three fields ask for a range instead of a version.
const semver = require(process.argv[2]);
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter((line) => line.length > 0);
const answer = (line) => {
  const [a, b, range] = line.split('\t');
  if (semver.valid(a) !== a.replace(/\+.*/, '')) return 'invalid';
  if (range !== undefined) return semver.satisfies(a, range, { includePrerelease: true }) ? 'in' : 'out';
  if (semver.valid(b) !== b.replace(/\+.*/, '')) return 'invalid';
  return '<=>'[semver.compare(a, b) + 1];
};
process.stdout.write(lines.map(answer).join('\n') + '\n');
