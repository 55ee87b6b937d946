// Generated captions guess. LLMDet's loader cuts clauses with words that say so, and sentences that
// then begin with a preposition (recipe in its odvg.py); the words below are our own reading of it.

import type { MappedText } from './mapped-text.ts'
import { PREPOSITIONS } from './words/closed.ts'

const GUESS =
  /\b(?:possibl[ey]|probabl[ey]|perhaps|maybe|likely|presumabl[ey]|apparently|seemingly|suggest(?:s|ed|ing|ive)?|assum(?:e|es|ed|ing|ption)|appear(?:s|ed|ing)? to|appears?|seem(?:s|ed|ing)?|indicat(?:e|es|ed|ing)|impl(?:y|ies|ied|ying)|expect(?:s|ed|ing)?|might|could be|may be|no|not)\b/i
const SENTENCE = /[^.!?]+[.!?]*/g
const CLAUSE = /[^,;]+[,;]?/g

/** Cuts every clause that guesses or denies. */
export function cutSpeculation(caption: MappedText): MappedText {
  return caption.replace(SENTENCE, ([sentence]) => {
    if (!GUESS.test(sentence)) return undefined
    const end = /[.!?]*$/.exec(sentence)![0]
    const clauses = sentence.slice(0, sentence.length - end.length).match(CLAUSE) ?? []
    const kept = clauses
      .filter((clause) => !GUESS.test(clause))
      .join('')
      .replace(/[,;]\s*$/, '')
    const first = /\p{L}+/u.exec(kept)?.[0].toLowerCase()
    return first === undefined || PREPOSITIONS.has(first) ? '' : kept + end
  })
}
