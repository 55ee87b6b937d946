// Words that alone are no query: n-grams of nothing else are dropped (OWL-ST does so; its list is in
// appendix A.2 of arXiv 2306.09683, this one is our own closed classes).

import {
  AUXILIARIES,
  CONJUNCTIONS,
  COORDINATORS,
  DETERMINERS,
  PREPOSITIONS,
  PRONOUNS,
  RELATIVES,
} from './closed.ts'
import { setOf } from './list.ts'

/** In lower case. */
export const STOP_WORDS: ReadonlySet<string> = new Set([
  ...DETERMINERS,
  ...PREPOSITIONS,
  ...COORDINATORS,
  ...CONJUNCTIONS,
  ...PRONOUNS,
  ...AUXILIARIES,
  ...RELATIVES,
  ...setOf('to not very too also just then now so'),
])
