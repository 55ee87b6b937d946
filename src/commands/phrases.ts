import os from 'node:os'
import { addAbortSignal } from 'node:stream'
import { z } from 'zod'
import { loadConfig } from '../config.ts'
import { InputError } from '../core/errors.ts'
import { createPhraseExtractor } from '../nlp/extractor.ts'
import type { Explanation, PhraseInput, PhraseResult } from '../nlp/find-phrases.ts'
import { mapOrdered } from '../system/map-ordered.ts'
import { collect, positiveInt, type RegisterCommand } from './command.ts'
import { readJsonLines, writeJsonLines, type JsonLine } from './json-lines.ts'

interface Flags {
  readonly config?: string
  readonly set: string[]
  readonly threads?: number
  readonly explain?: true
}

const LINES_PER_BATCH = 64
/** Without a recipe, whatever is found is shown; what is worth asking for is the recipe's matter. */
const WITHOUT_RECIPE = [
  'caption.minWords=1',
  'phrases.abstract=keep',
  'phrases.genericWords=keep',
  'phrases.duplicates=keep',
]
const MAX_DEFAULT_THREADS = 4

const lineSchema = z.object({ id: z.json().optional(), caption: z.string() })
/** For the extractor `supplied`; others do not look at "phrases". UTF-16 offsets. */
const suppliedLineSchema = lineSchema.extend({
  phrases: z.array(z.object({ start: z.number(), end: z.number() })).optional(),
})

type Line = z.output<typeof suppliedLineSchema>
type Parse = (line: JsonLine) => Line

/** `groundmill phrases`: what a recipe finds in captions, before anything is fetched. */
export const registerPhrases: RegisterCommand = (program, io) => {
  program
    .command('phrases')
    .description(
      'Find the phrases of captions: JSON Lines {id?, caption} on stdin, {id?, phrases} on stdout.',
    )
    .option('--config <file>', 'recipe with caption: and phrases: sections')
    .option('--set <key=value>', 'override one option, e.g. --set phrases.of=split', collect, [])
    .option('--threads <n>', 'worker threads; default: one per core, 4 at most', positiveInt)
    .option('--explain', 'add what led there: cleaning, words, classes, rules, what was dropped')
    .addHelpText(
      'after',
      `
Without --config, every noun phrase is shown: nothing is dropped for being abstract, generic or a
repetition (${WITHOUT_RECIPE.join(', ')}).

A line of the output has "phrases": [{start, end, text, head, lemma}], spans in UTF-16 units of the
caption as given: caption.slice(start, end) === text. Without phrases, "code" and "detail" say why.
With the extractor "supplied", a line of the input has "phrases": [{start, end}].

Example:
  echo '{"id": 1, "caption": "Two brown dogs on a sofa"}' | groundmill phrases --set phrases.of=split`,
    )
    .action(async (flags: Flags) => {
      const config = await loadConfig(flags.config, [
        ...(flags.config === undefined ? WITHOUT_RECIPE : []),
        ...flags.set,
      ])
      const isSupplied = [config.phrases.extractor].flat().includes('supplied')
      const parse = parseWith(isSupplied ? suppliedLineSchema : lineSchema)
      const lines = readJsonLines(addAbortSignal(io.signal, io.stdin), LINES_PER_BATCH)
      if (flags.explain) {
        // Loaded when needed: its word lists take longer than the rest of the program.
        const { createPhraseFinder } = await import('../nlp/find-phrases.ts')
        const finder = createPhraseFinder(config)
        for await (const batch of parsed(lines, parse)) {
          if (batch instanceof InputError) throw batch
          const rows = batch.map((line) => rowOf(line, finder.explain(inputOf(line))))
          await writeJsonLines(io, rows)
        }
        return
      }
      const threads = flags.threads ?? Math.min(os.availableParallelism(), MAX_DEFAULT_THREADS)
      const extractor = createPhraseExtractor(config, { threads })
      try {
        const rows = mapOrdered(parsed(lines, parse), threads * 2, async (batch) => {
          if (batch instanceof InputError) return batch
          const results = await extractor.extract(batch.map(inputOf), io.signal)
          return batch.map((line, index) => rowOf(line, { result: results[index]! }))
        })
        for await (const batch of rows) {
          if (batch instanceof InputError) throw batch
          await writeJsonLines(io, batch)
        }
      } finally {
        await extractor.close()
      }
    })
}

/**
 * Batches of lines that are what they should be. What is wrong with the first one that is not comes
 * last, as a value: thrown, it would overtake the results of the lines before it.
 */
async function* parsed(
  lines: AsyncIterable<readonly JsonLine[]>,
  parse: Parse,
): AsyncGenerator<readonly Line[] | InputError> {
  let good: Line[] = []
  try {
    for await (const batch of lines) {
      good = []
      for (const one of batch) good.push(parse(one))
      const whole = good
      good = []
      yield whole
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    if (good.length > 0) yield good
    yield error
  }
}

function parseWith(schema: typeof lineSchema | typeof suppliedLineSchema): Parse {
  return ({ line, value }) => {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    const [issue] = result.error.issues
    const where = issue?.path.join('.') ?? ''
    throw new InputError(
      `line ${line}: ${where === '' ? '' : `"${where}": `}${issue?.message ?? 'not usable'}; ` +
        'expected {"id"?: ..., "caption": "text"}',
    )
  }
}

function inputOf({ caption, phrases }: Line): PhraseInput {
  return phrases === undefined ? { caption } : { caption, supplied: phrases }
}

interface Found {
  readonly result: PhraseResult
  readonly explanation?: Explanation
}

function rowOf({ id, caption }: Line, { result, explanation: explain }: Found): object {
  const row =
    'code' in result
      ? { phrases: [], code: result.code, detail: result.detail }
      : {
          phrases: result.phrases.map(({ head, lemma }, index) => {
            const { start, end } = result.sourceSpans[index]!
            return { start, end, text: caption.slice(start, end), head, lemma }
          }),
        }
  return {
    ...(id === undefined ? {} : { id }),
    ...row,
    ...(explain === undefined ? {} : { explain }),
  }
}
