// docs/api.md, out of the comments of what src/index.ts exports.
//
//   npm run docs             writes it
//   npm run docs -- --check  compares: exit code 1 if it is not what the code says
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { Application } from 'typedoc'

const PAGE = path.join(import.meta.dirname, '../docs/api.md')
const NOTE = '<!-- Written by `npm run docs` from the comments in src/. -->\n\n'

async function generate(): Promise<string> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'groundmill-docs-'))
  try {
    const app = await Application.bootstrapWithPlugins({ out: folder, logLevel: 'Warn' })
    const project = await app.convert()
    if (project === undefined) throw new Error('the types do not compile')
    await app.generateOutputs(project)
    return NOTE + (await fs.readFile(path.join(folder, 'api.md'), 'utf8'))
  } finally {
    await fs.rm(folder, { recursive: true })
  }
}

const text = await generate()
if (process.argv.includes('--check')) {
  if (text !== (await fs.readFile(PAGE, 'utf8'))) {
    console.error('docs/api.md is not what the code says: npm run docs')
    process.exitCode = 1
  }
} else {
  await fs.writeFile(PAGE, text)
}
