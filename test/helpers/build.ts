// Before all tests: the program as users get it, since some tests start and kill it.

import { execFileSync } from 'node:child_process'

export default function build(): void {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  })
}
