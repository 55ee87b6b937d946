// `npm run demo`: labels the sample dataset with the bundled teacher, exports it, draws a sheet of
// labelled pictures and measures the result against the sample's gold.

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { main } from '../src/cli.ts'
import { loadConfig } from '../src/config.ts'
import { filterRun } from '../src/filter/filter-run.ts'
import { openManifest } from '../src/store/run-manifest.ts'
import { createPosixStore } from '../src/store/posix/posix-store.ts'
import { committedShards } from '../src/store/shards.ts'
import { drawSheet, type SheetSample } from './picture-sheet.ts'
import { readGold, scoreImage } from './score-gold.ts'

const RUN = 'demo-run'
const CONFIG = 'configs/demo.yaml'
const GOLD = 'sample/gold.jsonl'
const SHEET = path.join(RUN, 'sheet.png')
const SHOWN = 12

const never = new AbortController().signal

async function groundmill(...argv: string[]): Promise<void> {
  process.stderr.write(`\n$ groundmill ${argv.join(' ')}\n`)
  const { stdin, stdout, stderr } = process
  const exitCode = await main(argv, { stdin, stdout, stderr, signal: never })
  if (exitCode !== 0) process.exit(exitCode)
}

async function* rows() {
  for await (const shard of committedShards(createPosixStore(RUN))) yield* shard.rows()
}

await groundmill('run', CONFIG, '--out', RUN)
const exports = [
  { to: path.join(RUN, 'export/coco'), format: ['--format', 'coco'] },
  { to: path.join(RUN, 'export/odvg'), format: ['--format', 'odvg', '--dialect', 'mmdet'] },
]
for (const { to, format } of exports) {
  await groundmill('export', RUN, ...format, '--to', to, '--config', CONFIG, '--overwrite')
}

const { teacher } = await openManifest(RUN)
const config = await loadConfig(CONFIG)
const filtered = await filterRun(rows, config.filter, config.balance, teacher.defaultScore)
const gold = await readGold(GOLD)
const keyOf = (url: string | null) => path.basename(url ?? '', '.jpg')
const shown: SheetSample[] = []
const total = { regions: 0, right: 0 }
// Boxes of images that the filter dropped are missed, too.
let found = 0
for await (const sample of filtered.samples()) {
  const { url } = sample.row
  const image = gold.get(keyOf(url))
  if (image === undefined || url === null) throw new Error(`${sample.row.key} has no gold`)
  const score = scoreImage(sample, image)
  total.regions += score.regions
  total.right += score.rightRegions
  found += score.foundGoldBoxes
  if (shown.length < SHOWN && sample.row.row % 5 === 0) {
    shown.push({ sample, bytes: await readFile(url) })
  }
}
await drawSheet(shown, SHEET)
const boxes = [...gold.values()]
  .flatMap(({ phrases }) => phrases)
  .reduce((sum, phrase) => sum + phrase.boxes.length, 0)
const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`
process.stdout.write(`
measured against ${GOLD} (a box is right at an IoU of 0.5 with a gold box of its phrase)
  precision   ${percent(total.right, total.regions)} of ${total.regions} regions above ${teacher.defaultScore}
  recall      ${percent(found, boxes)} of ${boxes} gold boxes
look at
  ${SHEET}
${exports.map(({ to }) => `  ${to}`).join('\n')}
`)
