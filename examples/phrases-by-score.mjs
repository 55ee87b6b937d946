// Reads a run folder, also while the run works on it: for each phrase how many boxes a threshold keeps.
//
//   node examples/phrases-by-score.mjs label-run 0.65

import { filterGroundings, parseConfig, readGroundings } from 'groundmill'

const [runDir = 'label-run', minScore = '0.65'] = process.argv.slice(2)

let candidates = 0
for await (const row of readGroundings(runDir)) candidates += row.candidates.length

const config = parseConfig({ filter: { score: Number(minScore) } })
const kept = await filterGroundings(runDir, config)
const boxes = new Map()
for await (const { row, regions } of kept.samples()) {
  for (const { phrase } of regions) {
    const { lemma } = row.phrases[phrase]
    boxes.set(lemma, (boxes.get(lemma) ?? 0) + 1)
  }
}
const { regions } = kept.counts()
console.log(`${regions} of ${candidates} boxes at a score of ${minScore} and above`)
const most = [...boxes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, 10)
for (const [lemma, count] of most) console.log(`${String(count).padStart(6)}  ${lemma}`)
