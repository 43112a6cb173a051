# RubyGems.
require "rubygems"
STDIN.each_line(chomp: true) do |line|
  a, b = line.split("\t", -1)
  if Gem::Version.correct?(a) && Gem::Version.correct?(b)
    puts "<=>"[(Gem::Version.new(a) <=> Gem::Version.new(b)) + 1]
  else
    puts "invalid"
  end
end
