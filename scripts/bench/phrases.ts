// Finding phrases: speed per thread beside plain tagging with compromise, scaling with threads, F1 on gold
// captions with 95 % intervals, and what each rule is worth. Gold captions are read where they are
// (`--gold DIR` or GROUNDMILL_GOLD); they are not part of the repository.

import { execFileSync } from 'node:child_process'
import { setMaxListeners } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import compromise from 'compromise/two'
import { createPhraseExtractor } from '../../src/nlp/extractor.ts'
import { createPhraseFinder, type PhraseFinder } from '../../src/nlp/find-phrases.ts'
import { captionOptionsSchema, phraseOptionsSchema } from '../../src/nlp/options.ts'
import { RULES } from '../../src/nlp/tag-rules.ts'
import {
  bootstrap,
  countPhrases,
  f1Of,
  readGoldLines,
  recallOf,
  sumCounts,
  type Counts,
  type GoldLine,
} from '../score-phrases.ts'
import type { Benchmark } from './benchmark.ts'

/** `recall`: only some phrases are marked there. */
const SETS = [
  { name: 'ists-captions-dev', statistic: 'f1' },
  { name: 'flickr30k-parsed-dev', statistic: 'f1' },
  { name: 'coco-grounded-dev', statistic: 'recall' },
  { name: 'web-text-dev', statistic: 'f1' },
] as const

const STATISTICS = { f1: f1Of, recall: recallOf }

const SPEED_SET = 'ists-captions-dev'
const SECONDS_PER_ROUND = 0.5
const ROUNDS = 5

/** What the command shows without a recipe: everything that is found. */
const CONFIG = {
  caption: captionOptionsSchema.parse({ minWords: 1 }),
  phrases: phraseOptionsSchema.parse({
    abstract: 'keep',
    genericWords: 'keep',
    duplicates: 'keep',
  }),
}

interface Quality {
  readonly set: string
  readonly statistic: 'f1' | 'recall'
  readonly captions: number
  readonly value: number
  readonly interval: readonly [number, number]
}

interface Ablation {
  readonly rule: string
  /** Value without the rule minus value with it, per set; negative: the rule helps. */
  readonly change: Readonly<Record<string, number>>
}

interface Result {
  readonly node: string
  readonly cpu: string
  readonly cores: number
  /** Captions per second of CPU time in one thread, best of the rounds. */
  readonly perThread: { readonly ours: number; readonly compromise: number }
  /** Captions per second of the clock by number of workers, best of the rounds. */
  readonly byThreads: Readonly<Record<string, number>>
  readonly quality: readonly Quality[]
  readonly ablation: readonly Ablation[]
}

type GoldSets = ReadonlyMap<string, readonly GoldLine[]>

function countsOf(find: PhraseFinder, lines: readonly GoldLine[]): readonly Counts[] {
  return lines.map((line) => {
    const result = find({ caption: line.caption })
    return countPhrases(line, 'code' in result ? [] : result.sourceSpans)
  })
}

function measureQuality(sets: GoldSets, gold: string): readonly Quality[] {
  const find = createPhraseFinder(CONFIG)
  return SETS.map(({ name, statistic }) => {
    const lines = sets.get(name)!
    const counts = countsOf(find, lines)
    const value = STATISTICS[statistic](sumCounts(counts))
    assertSame(value, officialScore(find, lines, path.join(gold, name), statistic, gold), name)
    return {
      set: name,
      statistic,
      captions: lines.length,
      value,
      interval: bootstrap(counts, STATISTICS[statistic]),
    }
  })
}

function officialScore(
  find: PhraseFinder,
  lines: readonly GoldLine[],
  file: string,
  statistic: 'f1' | 'recall',
  gold: string,
): number {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'groundmill-bench-'))
  try {
    const predicted = path.join(folder, 'predicted.jsonl')
    const rows = lines.map(({ id, caption }) => {
      const result = find({ caption })
      return JSON.stringify({ id, phrases: 'code' in result ? [] : result.sourceSpans })
    })
    writeFileSync(predicted, rows.join('\n'))
    const argv = [path.join(gold, 'score-phrases.mjs'), `${file}.jsonl`, predicted, '--json']
    const { metrics, badSpans } = JSON.parse(execFileSync(process.execPath, argv).toString()) as {
      readonly badSpans: number
      readonly metrics: { readonly nodet: { readonly f1: number; readonly r: number } }
    }
    if (badSpans > 0) throw new Error(`${badSpans} bad spans in ${file}`)
    return statistic === 'f1' ? metrics.nodet.f1 : metrics.nodet.r
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function assertSame(ours: number, official: number, name: string): void {
  if (Math.abs(ours - official) < 1e-9) return
  throw new Error(`${name}: counted ${ours}, gold/score-phrases.mjs ${official}`)
}

function measureAblation(sets: GoldSets): readonly Ablation[] {
  const valuesOf = (without?: string) => {
    const removed = new Set(without === undefined ? [] : [without])
    const find = createPhraseFinder(CONFIG, removed)
    return new Map(
      SETS.map(({ name, statistic }) => [
        name,
        STATISTICS[statistic](sumCounts(countsOf(find, sets.get(name)!))),
      ]),
    )
  }
  const all = valuesOf()
  return RULES.map(({ name }) => {
    const change = [...valuesOf(name)].map(([set, value]) => [set, value - all.get(set)!] as const)
    return { rule: name, change: Object.fromEntries(change) }
  })
}

type Clock = () => number

const wallSeconds: Clock = () => performance.now() / 1000
/** Of the whole process, so that what else runs on the machine does not count. */
const cpuSeconds: Clock = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Captions per second of passes over the captions for a while; the best round, for others compete. */
async function bestRate(
  captions: readonly string[],
  clock: Clock,
  pass: (captions: readonly string[]) => unknown,
): Promise<number> {
  await pass(captions) // warm
  let best = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = clock()
    let read = 0
    do {
      await pass(captions)
      read += captions.length
    } while (clock() - start < SECONDS_PER_ROUND)
    best = Math.max(best, read / (clock() - start))
  }
  return best
}

async function measureThreads(captions: readonly string[]): Promise<Record<string, number>> {
  const rates: Record<string, number> = {}
  const inputs = captions.map((caption) => ({ caption }))
  const batches = Array.from({ length: Math.ceil(inputs.length / 64) }, (_, index) =>
    inputs.slice(index * 64, (index + 1) * 64),
  )
  const never = new AbortController().signal
  setMaxListeners(0, never) // one per batch in flight
  for (const threads of [1, 2, 4, 8].filter((count) => count <= os.availableParallelism())) {
    const extractor = createPhraseExtractor(CONFIG, { threads })
    try {
      rates[threads] = await bestRate(captions, wallSeconds, () =>
        Promise.all(batches.map((batch) => extractor.extract(batch, never))),
      )
    } finally {
      await extractor.close()
    }
  }
  return rates
}

export const benchmark: Benchmark<Result> = {
  options: {
    gold: { type: 'string', default: process.env['GROUNDMILL_GOLD'] ?? '' },
    ablation: { type: 'boolean', default: false },
  },
  run: async (options) => {
    const gold = String(options['gold'])
    if (!existsSync(gold)) {
      throw new Error(`no gold captions at "${gold}"; name them with --gold DIR or GROUNDMILL_GOLD`)
    }
    const sets = new Map(
      SETS.map(({ name }) => [name, readGoldLines(path.join(gold, `${name}.jsonl`))]),
    )
    const captions = sets.get(SPEED_SET)!.map(({ caption }) => caption)
    const find = createPhraseFinder(CONFIG)
    const ours = await bestRate(captions, cpuSeconds, (all) =>
      all.forEach((caption) => find({ caption })),
    )
    const plain = await bestRate(captions, cpuSeconds, (all) =>
      all.forEach((caption) => compromise(caption)),
    )
    return {
      node: process.version,
      cpu: os.cpus()[0]?.model ?? 'unknown',
      cores: os.availableParallelism(),
      perThread: { ours, compromise: plain },
      byThreads: await measureThreads(captions),
      quality: measureQuality(sets, gold),
      ablation: options['ablation'] === true ? measureAblation(sets) : [],
    }
  },
  format: ({ node, cpu, cores, perThread, byThreads, quality, ablation }) => {
    const percent = (value: number) => (100 * value).toFixed(2)
    const { ours, compromise: plain } = perThread
    return [
      `Node ${node}, ${cores} cores of ${cpu}, captions of ${SPEED_SET}, warm, best of ${ROUNDS} rounds`,
      `one thread   ${ours.toFixed(0)} captions per CPU second; compromise's tagging alone ${plain.toFixed(0)}: ` +
        `${(ours / plain).toFixed(1)} times`,
      ...Object.entries(byThreads).map(
        ([threads, rate]) =>
          `workers: ${threads}   ${rate.toFixed(0)} captions per second of the clock`,
      ),
      '',
      ...quality.map(
        ({ set, statistic, captions, value, interval: [low, high] }) =>
          `${set.padEnd(22)} ${statistic.padEnd(6)} ${percent(value)}  [${percent(low)}, ${percent(high)}]` +
          `  ${captions} captions`,
      ),
      ...(ablation.length === 0
        ? []
        : [
            '',
            `without the rule           ${SETS.map(({ name }) => name.slice(0, 9).padStart(10)).join('')}`,
            ...ablation.map(
              ({ rule, change }) =>
                rule.padEnd(26) +
                SETS.map(({ name }) => percent(change[name]!).padStart(10)).join(''),
            ),
          ]),
    ].join('\n')
  },
}
