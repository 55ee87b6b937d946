import { setMaxListeners } from 'node:events'
import { InvalidArgumentError, Option } from 'commander'
import { configSchema } from '../config.ts'
import { ConfigError, InputError } from '../core/errors.ts'
import { createImageChecker } from '../ingest/image/check.ts'
import { createImageLoader } from '../ingest/image/load.ts'
import { mapOrdered } from '../system/map-ordered.ts'
import { addModel } from '../teacher/add-model.ts'
import { benchTeacher, type BenchResult } from '../teacher/bench.ts'
import {
  inspectModel,
  sizeOf,
  summarizeModels,
  type Inspection,
  type ModelSummary,
} from '../teacher/inspect-model.ts'
import { openParts } from '../teacher/open-teacher.ts'
import type { Description } from '../teacher/description.ts'
import { PROVIDERS } from '../teacher/options.ts'
import type { TeacherSample } from '../teacher/teacher.ts'
import { positiveInt, type Session, type RegisterCommand } from './command.ts'
import { readSample, type EncodedSample } from './teacher-sample.ts'

const DEFAULT_MODEL = 'glip-nano'
const BENCH_IMAGES = 72

/** `groundmill teacher`: list, inspect, add, bench. */
export const registerTeacher: RegisterCommand = (program, io) => {
  const teacher = program
    .command('teacher')
    .description('Models: the bundled one, those that were added, and any model folder.')
    .addHelpText(
      'after',
      '\nExamples:\n  groundmill teacher list\n  groundmill teacher inspect glip-nano\n' +
        '  groundmill teacher add exports/glip-tiny --id glip-tiny',
    )
  registerList(teacher, io)
  registerInspect(teacher, io)
  registerAdd(teacher, io)
  registerBench(teacher, io)
  teacher
    .command('pull', { hidden: true })
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw new ConfigError(
        '"groundmill teacher pull" is not available yet; copy the model folder here and add it',
      )
    })
}

const registerList: RegisterCommand = (teacher, io) => {
  teacher
    .command('list')
    .description('Models that teacher.model can name, with size, precision and licence.')
    .option('--json', 'print one JSON object per model')
    .addHelpText('after', '\nExample:\n  groundmill teacher list --json')
    .action(async (flags: { readonly json?: true }) => {
      const models = await summarizeModels()
      const lines = flags.json ? models.map(jsonOfModel) : tableOfModels(models)
      io.stdout.write(lines.map((line) => `${line}\n`).join(''))
    })
}

const registerInspect: RegisterCommand = (teacher, io) => {
  teacher
    .command('inspect')
    .description('What a model is, where it comes from, and whether its files are whole.')
    .argument('<model>', 'a name from "groundmill teacher list", or a model folder')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  groundmill teacher inspect exports/glip-tiny --json')
    .action(async (model: string, flags: { readonly json?: true }) => {
      const inspection = await inspectModel(model)
      io.stdout.write(flags.json ? `${JSON.stringify(inspection)}\n` : formatInspection(inspection))
      if (inspection.problems.length > 0) {
        throw new InputError(`${inspection.path}: ${inspection.problems.join('; ')}`)
      }
    })
}

const registerAdd: RegisterCommand = (teacher, io) => {
  teacher
    .command('add')
    .description(
      'Check a model folder and copy it to $XDG_DATA_HOME/groundmill/teachers (else ~/.local/share/...).',
    )
    .argument(
      '<folder>',
      'model.onnx, vocab.txt and teacher.json, as models/glip/convert.py writes it',
    )
    .option('--id <name>', 'name for teacher.model; default: the id in teacher.json')
    .addHelpText('after', '\nExample:\n  groundmill teacher add exports/glip-tiny --id glip-tiny')
    .action(async (folder: string, flags: { readonly id?: string }) => {
      const added = await addModel(folder, flags.id)
      io.stdout.write(`${added.name} is now ${added.path}\n`)
    })
}

interface BenchFlags {
  readonly json?: true
  readonly provider: string
  readonly threads: number
  readonly batchSize: number
  readonly seconds: number
}

const registerBench: RegisterCommand = (teacher, io) => {
  teacher
    .command('bench')
    .description(
      'Images per second of the bare graph and of the whole teacher (decode, resize, tokenise, graph, ' +
        'boxes), in turns on the same images.',
    )
    .argument('[model]', 'name or folder', DEFAULT_MODEL)
    .option('--json', 'print one JSON object')
    .addOption(
      new Option('--provider <name>', 'execution provider')
        .choices(['auto', ...PROVIDERS])
        .default('auto'),
    )
    .option('--threads <n>', 'threads of the CPU provider; 0: one per core', wholeNumber, 0)
    .option('--batch-size <n>', 'prompts per forward', positiveInt, 1)
    .option('--seconds <n>', 'measure at least this long', positiveInt, 30)
    .addHelpText('after', '\nExample:\n  groundmill teacher bench glip-nano --seconds 60 --json')
    .action(async (model: string, flags: BenchFlags) => {
      const result = await bench({ model, ...flags }, io)
      io.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : formatBench(result))
    })
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError('expected a whole number from 0')
  }
  return value
}

interface FullBenchResult extends BenchResult {
  readonly model: string
  readonly sha256: string
  readonly provider: string
  readonly threads: number
  readonly batchSize: number
  /** Reading, hashing and opening the model, and one forward. */
  readonly openSeconds: number
}

async function bench(
  { model, provider, threads, batchSize, seconds }: BenchFlags & { readonly model: string },
  io: Session,
): Promise<FullBenchResult> {
  const config = configSchema.parse({ teacher: { model, provider, threads, batchSize } })
  const samples = await readSample(BENCH_IMAGES)
  const startedAt = performance.now()
  const parts = await openParts(config, (message) => {
    io.stderr.write(`${message}\n`)
  })
  const openSeconds = (performance.now() - startedAt) / 1000
  const { folder, runner, adapter } = parts
  const loader = createImageLoader(config, { input: adapter.input })
  const checker = createImageChecker(config.image)
  const signal = AbortSignal.any([io.signal])
  setMaxListeners(0, signal) // one per image in flight
  const decode = async ({ bytes, ...rest }: EncodedSample) => {
    const { used: decoded } = await checker.check(bytes, signal, (image) => image)
    return { ...rest, decoded }
  }
  const load = async ({ bytes, ...rest }: EncodedSample): Promise<TeacherSample> => {
    const { input } = await loader.check(bytes, signal)
    return { ...rest, input: input! }
  }
  try {
    const result = await benchTeacher(parts, {
      images: samples,
      decode,
      stream: (images) => mapOrdered(images, config.run.imagesAhead, load),
      seconds,
      signal,
    })
    return {
      model: folder.description.id,
      sha256: folder.sha256,
      provider: runner.provider,
      threads,
      batchSize,
      openSeconds,
      ...result,
    }
  } finally {
    await Promise.all([runner.close(), adapter.close(), loader.close()])
  }
}

// What people see

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

function jsonOfModel({ description, ...place }: ModelSummary): string {
  if (description === undefined) return JSON.stringify(place)
  const { id, architecture, variant, precision, licence, defaultScore } = description
  const size = sizeOf(description)
  return JSON.stringify({
    ...place,
    id,
    architecture,
    variant,
    precision,
    size,
    licence,
    defaultScore,
  })
}

function tableOfModels(models: readonly ModelSummary[]): string[] {
  const rows = models.map(({ name, origin, path: at, description, problem }) =>
    description === undefined
      ? [name, origin, '-', '-', '-', `cannot be used: ${problem}`]
      : [
          name,
          origin,
          `${description.architecture} ${description.variant}`,
          sizeAndPrecision(description),
          description.licence,
          at,
        ],
  )
  return align([['name', 'origin', 'model', 'size', 'licence', 'folder'], ...rows])
}

function sizeAndPrecision(description: Description): string {
  const bytes = sizeOf(description)
  return bytes === 0 ? 'no model' : `${megabytes(bytes)} ${description.precision}`
}

/** Columns as wide as their widest cell, the last as it is. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!)))
      .join('  '),
  )
}

function formatInspection(inspection: Inspection): string {
  const { path: at, sha256, description, facts, graph, problems } = inspection
  const { id, architecture, variant, precision, raw, defaultScore } = description
  const tensors = (side: 'inputs' | 'outputs') =>
    graph[side].map(({ name, type, shape }) => [
      `  ${side.slice(0, -1)}`,
      `${name} ${type} [${shape.join(', ')}]`,
    ])
  const checked =
    sizeOf(description) === 0 ? 'teacher.json' : 'files, hashes, inputs, outputs, one forward'
  const rows = [
    ['folder', at],
    ['id', id],
    ['sha256', `${sha256} (of teacher.json)`],
    [
      'model',
      `${architecture} ${variant}, ${precision}${raw ? ', raw: for parity tests alone' : ''}`,
    ],
    ...facts,
    ['score', `${defaultScore} by default`],
    ['licence', description.licence],
    ...Object.entries(description.files).map(([name, file]) => [
      name,
      `${megabytes(file.size)}, sha256 ${file.sha256}`,
    ]),
    ...tensors('inputs'),
    ...tensors('outputs'),
    ...Object.entries(description.provenance),
    ['checked', problems.length > 0 ? 'not usable' : checked],
  ]
  return align(rows)
    .map((line) => `${line}\n`)
    .join('')
}

function formatBench(result: FullBenchResult): string {
  const { imagesPerSecond, cpuMsPerImage, ratioQuartiles, stageMs } = result
  const stages = Object.entries(stageMs).map(([stage, ms]) => `${stage} ${ms.toFixed(1)}`)
  const rows = [
    ['', 'images/s', 'CPU ms per image'],
    ['bare graph', imagesPerSecond.graph.toFixed(1), cpuMsPerImage.graph.toFixed(1)],
    ['whole teacher', imagesPerSecond.teacher.toFixed(1), cpuMsPerImage.teacher.toFixed(1)],
  ]
  return [
    `${result.model} on ${result.provider}, ${result.threads === 0 ? 'one thread per core' : `${result.threads} threads`}, ` +
      `batches of ${result.batchSize}; opened in ${result.openSeconds.toFixed(1)} s`,
    ...align(rows),
    `ratio ${result.ratio.toFixed(3)}: median of ${result.rounds} rounds of ${result.images} images each ` +
      `(middle half ${ratioQuartiles.map((ratio) => ratio.toFixed(3)).join(' to ')})`,
    `ms per image, one stage after another: ${stages.join(', ')}`,
    '',
  ].join('\n')
}
