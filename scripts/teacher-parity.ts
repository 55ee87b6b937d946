// `npm run teacher:parity`: the TypeScript teacher beside the Python code in models/, on the same files.
//
//   npm run teacher:parity                                     200 scenes of each split with glip-nano
//   npm run teacher:parity -- --scenes sample                  stored scenes instead of rendered ones
//   npm run teacher:parity -- --golden $GROUNDMILL_GOLDEN      the reference's recorded detections as well
//
// Scenes: both sides get the same JPEG bytes and exactly the gold phrases; glip.evaluate measures both.
// Exits with 1 when a measure differs by more than half a point, or a recorded detection is not found.
// Needs the Python of models/requirements.txt (GROUNDMILL_PYTHON or .venv); without it, it says so.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { compareGoldens } from './parity/goldens.ts'
import { findPython } from './parity/python.ts'
import { compareScenes } from './parity/scenes.ts'

const SEED = '7' // of no training scene

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'glip-nano' },
    count: { type: 'string', default: '200' },
    scenes: { type: 'string' },
    golden: { type: 'string' },
    case: { type: 'string', multiple: true },
  },
})
const python = findPython()
if (python === undefined) {
  process.stderr.write(
    'SKIPPED: no Python with torch and onnxruntime; set GROUNDMILL_PYTHON, or make .venv from ' +
      'models/requirements.txt. Nothing was compared.\n',
  )
} else {
  const folder = await mkdtemp(path.join(tmpdir(), 'groundmill-parity-'))
  try {
    let isGood = true
    if (values.golden !== undefined) {
      isGood = await compareGoldens(python, path.resolve(values.golden), folder, values.case)
    } else if (values.scenes !== undefined) {
      isGood = await compareScenes(python, values.model, path.resolve(values.scenes), folder)
    } else {
      for (const split of ['test', 'novel']) {
        const scenes = path.join(folder, split)
        process.stderr.write(`rendering ${values.count} scenes of the ${split} split\n`)
        const which = ['--split', split, '--seed', SEED, '--count', values.count]
        await python('glip.scenes', ...which, '--to', scenes)
        process.stdout.write(`${split} split, seed ${SEED}\n`)
        isGood = (await compareScenes(python, values.model, scenes, scenes)) && isGood
      }
    }
    process.exitCode = isGood ? 0 : 1
  } finally {
    await rm(folder, { recursive: true })
  }
}
