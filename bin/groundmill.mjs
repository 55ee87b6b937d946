#!/usr/bin/env node
// The command. A package has its build; a checkout makes it when it is needed first, since `npm ci` runs no
// scripts there (.npmrc says why).

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const main = new URL('../dist/main.js', import.meta.url)
if (!existsSync(main)) {
  process.stderr.write('groundmill: building, this once\n')
  const root = fileURLToPath(new URL('..', import.meta.url))
  const compiler = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']
  execFileSync(process.execPath, compiler, { cwd: root, stdio: ['ignore', 2, 2] })
}
await import(main.href)
