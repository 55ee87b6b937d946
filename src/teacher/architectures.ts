// Every architecture there is. A new one is a folder beside glip/ and a line in this list.

import { z } from 'zod'
import type { Architecture } from './architecture.ts'
import { dummy } from './dummy/dummy.ts'
import { glip } from './glip/glip.ts'

const ARCHITECTURES: readonly Architecture[] = [glip, dummy]

/** As `architecture` of teacher.json names them. */
export const architectureNames: readonly string[] = ARCHITECTURES.map(({ name }) => name)

const [first, ...rest] = ARCHITECTURES.map(({ schema }) => schema)

/** teacher.json: a union on `architecture`. */
export const descriptionSchema = z.discriminatedUnion('architecture', [first!, ...rest], {
  error: ({ code }) =>
    code === 'invalid_union'
      ? `must be ${architectureNames.map((name) => `"${name}"`).join(' or ')}`
      : undefined,
})

/** The architecture of a checked description. */
export function architectureOf({ architecture }: { readonly architecture: string }): Architecture {
  const found = ARCHITECTURES.find(({ name }) => name === architecture)
  if (found === undefined) throw new TypeError(`no architecture is called ${architecture}`)
  return found
}
