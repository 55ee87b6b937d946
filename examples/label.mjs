// Labels a dataset and exports it to COCO: the job of `groundmill run` and `groundmill export` as a program.
//
//   node examples/label.mjs configs/demo.yaml label-run
//
// Ctrl-C ends it in good order; the same command goes on where it was.

import { exportDataset, labelDataset, loadConfig } from 'groundmill'

const [configFile = 'configs/demo.yaml', runDir = 'label-run'] = process.argv.slice(2)
const stop = new AbortController()
process.once('SIGINT', () => stop.abort(new Error('stopped; repeat the command to resume')))

const config = await loadConfig(configFile)
const summary = await labelDataset(config, runDir, {
  signal: stop.signal,
  onProgress: (event) => {
    if (event.kind !== 'rows') console.error(event.message)
    else if (event.done % 50 === 0) console.error(`${event.done} of ${event.total} rows`)
  },
})
console.log(`${summary.counts.groundings} groundings, ${summary.counts.rejects} rejects`)
for (const [code, count] of Object.entries(summary.reasons)) console.log(`  ${count} x ${code}`)

const { counts } = await exportDataset({
  runDir,
  to: `${runDir}/export/coco`,
  overwrite: true,
  format: 'coco',
  config,
})
console.log(`${counts.regions} boxes on ${counts.samples} images in ${runDir}/export/coco`)
process.exitCode = summary.isComplete ? 0 : 1
