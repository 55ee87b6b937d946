// The configuration: one YAML file per recipe, sections owned by the stages. Unknown keys are errors.

import fs from 'node:fs/promises'
import path from 'node:path'
import YAML from 'yaml'
import { z } from 'zod'
import { ConfigError, messageOf } from './core/errors.ts'
import { nearest } from './core/nearest.ts'
import type { Json } from './core/types.ts'
import { exportSectionSchema, type ExportSection } from './export/formats/index.ts'
import {
  balanceOptionsSchema,
  filterOptionsSchema,
  type BalanceOptions,
  type FilterOptions,
} from './filter/options.ts'
import { fetchOptionsSchema, fetchVolatile, type FetchOptions } from './ingest/fetch/options.ts'
import { imageOptionsSchema, imageVolatile, type ImageOptions } from './ingest/image/options.ts'
import { sourceOptionsSchema, sourceVolatile, type SourceOptions } from './ingest/source/options.ts'
import {
  captionOptionsSchema,
  phraseOptionsSchema,
  phraseVolatile,
  type CaptionOptions,
  type PhraseOptions,
} from './nlp/options.ts'
import { runOptionsSchema, runVolatile, type RunOptions } from './run/options.ts'
import {
  promptOptionsSchema,
  teacherOptionsSchema,
  teacherVolatile,
  type PromptOptions,
  type TeacherOptions,
} from './teacher/options.ts'

/** The sections of a config file with the limits and defaults of every option. */
export const configSchema = z.strictObject({
  /** The dataset; only `run` and `doctor` need it. */
  source: sourceOptionsSchema.optional(),
  caption: captionOptionsSchema.prefault({}),
  phrases: phraseOptionsSchema.prefault({}),
  fetch: fetchOptionsSchema.prefault({}),
  image: imageOptionsSchema.prefault({}),
  prompt: promptOptionsSchema.prefault({}),
  teacher: teacherOptionsSchema.prefault({}),
  run: runOptionsSchema.prefault({}),
  filter: filterOptionsSchema.prefault({}),
  balance: balanceOptionsSchema.prefault({}),
  export: exportSectionSchema.prefault({}),
})

/** A config as the program uses it: a section per stage, with defaults filled in. */
export interface Config {
  /** The dataset; only labelling needs it. */
  readonly source?: SourceOptions | undefined
  readonly caption: CaptionOptions
  readonly phrases: PhraseOptions
  readonly fetch: FetchOptions
  readonly image: ImageOptions
  readonly prompt: PromptOptions
  readonly teacher: TeacherOptions
  readonly run: RunOptions
  readonly filter: FilterOptions
  readonly balance: BalanceOptions
  readonly export: ExportSection
}

/** Sections of the second step; a run does not depend on them. */
export const EXPORT_SECTIONS: readonly string[] = ['filter', 'balance', 'export']

const VOLATILE: Readonly<Record<string, readonly string[]>> = {
  source: sourceVolatile,
  fetch: fetchVolatile,
  image: imageVolatile,
  phrases: phraseVolatile,
  teacher: teacherVolatile,
  run: runVolatile,
}

/** Options by section. */
export type Sections = Readonly<Record<string, Readonly<Record<string, Json>>>>

/** The part of a config that decides what a run writes; of the dataset only how its rows are read. */
export function outputConfig({
  source = sourceOptionsSchema.parse({}),
  ...rest
}: Config): Sections {
  // Through JSON, as it is stored: undefined keys vanish. A config is an object of sections.
  const plain = JSON.parse(JSON.stringify({ source, ...rest })) as Sections
  const sections = Object.entries(plain).filter(([name]) => !EXPORT_SECTIONS.includes(name))
  return Object.fromEntries(
    sections.map(([name, section]) => [
      name,
      Object.fromEntries(
        Object.entries(section).filter(([key]) => !(VOLATILE[name] ?? []).includes(key)),
      ),
    ]),
  )
}

/**
 * Reads a config file, with what it extends, and applies settings on top.
 *
 * @param file path of a YAML file; absent: the defaults
 * @param settings `key=value` with a dotted key and a YAML value, applied in order
 * @throws ConfigError naming the file, the key and what is allowed
 */
export async function loadConfig(
  file: string | undefined,
  settings: readonly string[] = [],
): Promise<Config> {
  const tree = file === undefined ? {} : await readTree(file, [])
  return parseConfig(tree, file ?? 'the configuration', settings)
}

/**
 * The config that a parsed file holds, with settings on top.
 *
 * @param where names the file in errors
 * @throws ConfigError naming the key and what is allowed
 */
export function parseConfig(
  tree: unknown,
  where = 'the configuration',
  settings: readonly string[] = [],
): Config {
  if (!isTree(tree)) throw new ConfigError(`${where}: expected sections such as "teacher:"`)
  const merged = settings.reduce<Tree>(applySetting, tree)
  const parsed = configSchema.safeParse(merged, { reportInput: true })
  if (parsed.success) return parsed.data
  throw new ConfigError(`${where}:\n${parsed.error.issues.map(describeIssue).join('\n')}`)
}

/** Sections, or the options of one, before the schema has seen them. */
export type Tree = { [key: string]: unknown }

async function readTree(file: string, extendedBy: readonly string[]): Promise<Tree> {
  const absolute = path.resolve(file)
  if (extendedBy.includes(absolute)) {
    throw new ConfigError(`${file} extends itself: ${[...extendedBy, absolute].join(' -> ')}`)
  }
  let content: unknown
  try {
    content = YAML.parse(await fs.readFile(absolute, 'utf8'))
  } catch (error) {
    throw new ConfigError(`${file}: ${messageOf(error)}`, { cause: error })
  }
  if (content === null) return {}
  if (!isTree(content)) throw new ConfigError(`${file}: expected sections such as "teacher:"`)
  const { extends: base, ...own } = content
  if (base === undefined) return own
  if (typeof base !== 'string') {
    throw new ConfigError(`${file}: "extends" must be the path of a YAML file beside this one`)
  }
  const parent = path.resolve(path.dirname(absolute), base)
  return merge(await readTree(parent, [...extendedBy, absolute]), own)
}

/** Objects are merged key by key; everything else, lists too, is replaced. */
function merge(base: Tree, over: Tree): Tree {
  const result: Tree = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const old = result[key]
    result[key] = isTree(old) && isTree(value) ? merge(old, value) : value
  }
  return result
}

function applySetting(tree: Tree, setting: string): Tree {
  const at = setting.indexOf('=')
  if (at < 1) {
    throw new ConfigError(`--set ${setting}: write key=value, e.g. --set teacher.batchSize=4`)
  }
  const keys = setting.slice(0, at).split('.')
  let value: unknown
  try {
    value = YAML.parse(setting.slice(at + 1))
  } catch (error) {
    throw new ConfigError(`--set ${setting}: the value is no YAML: ${messageOf(error)}`)
  }
  const branch = keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
  return merge(tree, branch as Tree)
}

/** What settings alone say of a section; they may still be wrong. @throws ConfigError for one that is none */
export function givenKeys(section: keyof Config, settings: readonly string[]): string[] {
  const given = settings.reduce<Tree>(applySetting, {})[section]
  return isTree(given) ? Object.keys(given) : []
}

/** True of YAML's and JSON's objects. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const at = issue.path.map(String)
  if (issue.code !== 'unrecognized_keys') {
    const given = issue.input === undefined ? '' : `; given: ${shortJson(issue.input)}`
    return `  ${at.join('.') || '(top)'}: ${issue.message}${given}`
  }
  const known = knownKeys(at)
  return issue.keys
    .map((key) => {
      const near = nearest(key, known)
      const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`
      return `  ${[...at, key].join('.')}: unknown key; ${hint}`
    })
    .join('\n')
}

function shortJson(value: unknown): string {
  const json = JSON.stringify(value)
  return json.length <= 80 ? json : `${json.slice(0, 79)}…`
}

/** Keys that the schema has at a path, found in its JSON Schema so that unions and defaults are seen through. */
function knownKeys(at: readonly string[]): string[] {
  interface Node {
    readonly properties?: Readonly<Record<string, Node>>
    readonly items?: Node
    readonly anyOf?: readonly Node[]
    readonly oneOf?: readonly Node[]
  }
  const branches = (node: Node): readonly Node[] =>
    node.anyOf?.flatMap(branches) ?? node.oneOf?.flatMap(branches) ?? [node]
  let nodes: readonly Node[] = [
    z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Node,
  ]
  for (const key of at) {
    nodes = nodes.flatMap(branches).flatMap((node) => {
      const next = /^\d+$/.test(key) ? node.items : node.properties?.[key]
      return next === undefined ? [] : [next]
    })
  }
  const keys = nodes.flatMap(branches).flatMap((node) => Object.keys(node.properties ?? {}))
  return [...new Set(keys)].sort()
}
