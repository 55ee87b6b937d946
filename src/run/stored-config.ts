// The configuration that a run was begun with, read with today's schema: options that came since have
// their defaults, those that went are taken through a table. What is left over is refused by name.

import { EXPORT_SECTIONS, isTree, parseConfig, type Config, type Tree } from '../config.ts'
import type { Json } from '../core/types.ts'
import type { RunManifest } from '../store/run-manifest.ts'
import { VERSION } from '../version.ts'

/** What became of an option that an earlier release stored. Keys are dotted, e.g. "run.duplicates.url". */
export type Migration =
  | { readonly option: string; readonly renamedTo: string }
  /** With these values today's program does what that one did; with others the option is refused as unknown. */
  | { readonly option: string; readonly removedAt: readonly (null | boolean | number | string)[] }
  /** It never changed the bytes of a run. */
  | { readonly option: string; readonly removedAt: 'any' }

/** In the order of the releases. */
const MIGRATIONS: readonly Migration[] = []

/** A manifest's configuration in today's words, without the sections that a run does not depend on. */
export function migrateConfig(
  stored: Json,
  migrations: readonly Migration[] = MIGRATIONS,
): unknown {
  const tree: unknown = structuredClone(stored)
  if (!isTree(tree)) return tree
  for (const section of EXPORT_SECTIONS) delete tree[section]
  for (const migration of migrations) migrate(tree, migration)
  return tree
}

function migrate(tree: Tree, migration: Migration): void {
  const path = migration.option.split('.')
  const key = path.pop() ?? ''
  const parent = path.reduce<unknown>((node, name) => (isTree(node) ? node[name] : undefined), tree)
  if (!isTree(parent) || !(key in parent)) return
  const value = parent[key]
  if ('renamedTo' in migration) put(tree, migration.renamedTo.split('.'), value)
  else if (migration.removedAt !== 'any' && !migration.removedAt.some((old) => old === value))
    return
  delete parent[key]
}

function put(tree: Tree, [key = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    tree[key] = value
    return
  }
  const inner = isTree(tree[key]) ? tree[key] : {}
  tree[key] = inner
  put(inner, rest, value)
}

/**
 * @param settings `key=value` that go on top, as for `loadConfig`
 * @throws ConfigError naming what today's schema does not take, or what is wrong with the settings
 */
export function storedConfig(
  runDir: string,
  { config, versions }: RunManifest,
  settings: readonly string[] = [],
): Config {
  const file = `${runDir}/run.json`
  const tree = migrateConfig(config)
  const asBegun = parseConfig(
    tree,
    `${file} was written by groundmill ${versionOf({ versions })} with options that groundmill ` +
      `${VERSION} does not take. Go on with the version that wrote it, or choose another --out`,
  )
  return settings.length === 0 ? asBegun : parseConfig(tree, file, settings)
}

/** The version that began a run. */
export function versionOf({ versions }: Pick<RunManifest, 'versions'>): string {
  return versions['groundmill'] ?? '(unknown)'
}
