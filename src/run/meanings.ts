// What options mean. A release that writes other bytes for the same options raises the number of what
// has changed; a run that was begun under another number is not mixed with it.

interface Meaning {
  /** From 1. A run records those that are not 1. */
  readonly number: number
  /** What the number is about, for whoever is refused. */
  readonly covers: string
}

/** By the stage that decides. */
export const MEANINGS: Readonly<Record<string, Meaning>> = {
  source: { number: 1, covers: 'which rows a dataset has and how they are read' },
  caption: { number: 1, covers: 'how captions are cleaned and refused' },
  phrases: { number: 1, covers: 'which phrases a caption has' },
  fetch: { number: 1, covers: 'which images are asked for and refused' },
  image: { number: 1, covers: 'how images are checked, re-encoded and compared' },
  prompt: { number: 1, covers: 'how phrases become prompts' },
  'teacher-input': { number: 1, covers: 'how images are fitted to the model' },
  'teacher-postprocess': { number: 1, covers: "how the model's outputs become boxes and scores" },
}

/** The numbers that are not 1, as a run records them; undefined if all are. */
export function raisedMeanings(
  meanings: typeof MEANINGS = MEANINGS,
): Readonly<Record<string, number>> | undefined {
  const raised = Object.entries(meanings).filter(([, { number }]) => number !== 1)
  if (raised.length === 0) return undefined
  return Object.fromEntries(raised.map(([name, { number }]) => [name, number]))
}

/** A line for each meaning that is another, e.g. "phrases (which phrases a caption has): the run has 1, now 2". */
export function changedMeanings(
  before: Readonly<Record<string, number>> = {},
  now: Readonly<Record<string, number>> = {},
): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort()
  return names.flatMap((name) => {
    const [then, today] = [before[name] ?? 1, now[name] ?? 1]
    const covers = MEANINGS[name]?.covers ?? 'unknown to this version'
    return then === today ? [] : [`${name} (${covers}): the run has ${then}, now ${today}`]
  })
}
