var Scorer = {
  // a page's or a section's title before any text, a page's own title before a section's
  title: 60,
  partialTitle: 25,
  term: 5,
  partialTerm: 2,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
};
