import { readFileSync } from 'node:fs'
import { z } from 'zod'

const manifest = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')))

/** Of this package, e.g. "0.1.0". */
export const VERSION = manifest.version
