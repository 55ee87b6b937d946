import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, workerData } from 'node:worker_threads'
import { serve } from '../../dist/system/serve.js'

// Plain JavaScript around the build, which starts in a fifth of the time.
const data = isMainThread ? JSON.parse(process.argv[2]) : workerData

await sleep(data.startMs ?? 0)
serve(
  async (request) => {
    if (request === 'die') process.exit(3)
    if (request === 'complain') {
      process.stderr.write('first\nlast words\n')
      await sleep(100)
      process.exit(4)
    }
    if (request === 'fail') throw new TypeError('no such tensor')
    if (request === 'for ever') for (;;);
    if (request === 'wait') await sleep(50)
    return { reply: `${data.name} ${request === 'env' ? process.env['ECHO'] : request}` }
  },
  { overlap: isMainThread },
)
