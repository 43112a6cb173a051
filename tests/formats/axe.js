
// Appended to a report page by a test, after axe-core: judges the page with all that can be opened open, and leaves what is wrong in
// the element `measured`.
(async () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
  const judged = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] });
  const nodes = (one) => one.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)}: ${node.failureSummary}`);
  const result = document.createElement("pre");
  result.id = "measured";
  result.textContent = JSON.stringify({
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    passes: judged.passes.length,
    violations: judged.violations.map((one) => ({ id: one.id, nodes: nodes(one) })),
  });
  document.body.append(result);
})();
