// Names of things that an image does not show, for trainers that teach a model to say "not present"
// (OWL-ST draws queries of other images; LLMDet and SAM 3 add absent names).

import { createHash } from 'node:crypto'
import type { GroundingRow } from '../core/types.ts'
import { normalName } from '../filter/phrase-rules.ts'
import type { CategoryOf } from './categories.ts'
import type { CommonOptions } from './options.ts'

/** @returns up to `perImage` names, sorted; absent by the caption's word alone, no teacher has looked */
export type DrawNegatives = (row: GroundingRow) => readonly string[]

/** Draws per wanted name before giving up: a caption may speak of the whole vocabulary. */
const MAX_DRAWS = 16

/**
 * @param names of the categories that the export has elsewhere
 * @param categoryOf the policy that made them
 */
export function createNegatives(
  names: readonly string[],
  categoryOf: CategoryOf,
  { perImage, seed }: CommonOptions['negatives'],
): DrawNegatives {
  if (perImage === 0 || names.length === 0) return () => []
  return (row) => {
    const caption = normalName(row.caption)
    // Phrases without a box, too: that the teacher found nothing does not make them absent.
    const present = new Set(
      row.phrases.map((phrase) => categoryOf(normalName(phrase.text), phrase.lemma)),
    )
    const drawn = new Set<string>()
    for (let draw = 0; drawn.size < perImage && draw < perImage * MAX_DRAWS; draw++) {
      const text = `${seed}\n${draw}\n${row.sha256}\n${row.caption}`
      const name = names[createHash('sha256').update(text).digest().readUInt32BE(0) % names.length]!
      if (!present.has(name) && !caption.includes(normalName(name))) drawn.add(name)
    }
    return [...drawn].sort()
  }
}
