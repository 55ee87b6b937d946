// `npm run bench -- NAME [--json [FILE]] [options]`: measures one part of groundmill. Each benchmark is
// a file of scripts/bench that compares things side by side in one run, because machines differ. `--json`
// without a file prints JSON alone.

import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { Benchmark } from './bench/benchmark.ts'

const FOLDER = path.join(import.meta.dirname, 'bench')
/** In place of a file. */
const STDOUT = '-'

const names = (await readdir(FOLDER))
  .map((file) => path.basename(file, '.ts'))
  .filter((name) => name !== 'benchmark')
  .sort()
const [name = '', ...rest] = process.argv.slice(2)
if (!names.includes(name)) {
  process.stderr.write(
    `usage: npm run bench -- NAME [--json [FILE]]\nNAME is one of ${names.join(', ')}\n`,
  )
  process.exit(2)
}
const module = (await import(pathToFileURL(path.join(FOLDER, `${name}.ts`)).href)) as {
  readonly benchmark: Benchmark
}
const { benchmark } = module
const { values } = parseArgs({
  args: rest.map((arg, index) =>
    arg === '--json' && (rest[index + 1] ?? '--').startsWith('--') ? `--json=${STDOUT}` : arg,
  ),
  options: { json: { type: 'string' }, ...benchmark.options },
})
const result = await benchmark.run(values)
const json = `${JSON.stringify(result, null, 2)}\n`
if (values['json'] === STDOUT) {
  process.stdout.write(json)
} else {
  process.stdout.write(`${benchmark.format(result)}\n`)
  if (typeof values['json'] === 'string') await writeFile(values['json'], json)
}
