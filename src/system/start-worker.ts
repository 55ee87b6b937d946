// Worker threads written in TypeScript. Built code starts the .js file; in development and under the
// tests the .ts file needs tsx inside the thread, because Node 20 ignores the parent's loaders there.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'

/**
 * Starts a module as a worker thread.
 *
 * @param path the module relative to its caller, without an extension: './onnx-worker'
 * @param from the caller's import.meta.url
 */
export function startWorker(path: string, from: string, options: WorkerOptions = {}): Worker {
  if (!from.endsWith('.ts')) return new Worker(new URL(`${path}.js`, from), options)
  const url = new URL(`${path}.ts`, from).href
  // The module build: the CommonJS one, which require() finds, looks for its loader in the wrong folder.
  const tsx = resolveUrl('tsx/esm/api').replace(/\.cjs$/, '.mjs')
  const code = `import(${JSON.stringify(tsx)})
    .then(({ register }) => { register(); return import(${JSON.stringify(url)}) })`
  return new Worker(code, { ...options, eval: true })
}

/** For `--import` of a process that is to run TypeScript. */
export function typescriptLoader(): string {
  return resolveUrl('tsx')
}

function resolveUrl(module: string): string {
  return pathToFileURL(createRequire(import.meta.url).resolve(module)).href
}
