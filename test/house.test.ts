// What the house asks of every file, whoever writes it: a test at its path, short functions, few
// parameters, no `any`; and of every test that it asks no clock how fast the machine is.

import fs from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { ROOT } from './helpers/groundmill.ts'

/** Sources, or folders of them, that need no test of their own, and why. */
const UNTESTED: Readonly<Record<string, string>> = {
  'main.ts': 'nothing but the process around cli.ts; the tests start it',
  'version.ts': 'a constant',
  'store/run-store.ts':
    'names and an interface; store/run-store-suite.ts is the test of what has it',
  'system/priority.ts': 'settings of threads, whose effect is speed',
  'system/v8.ts': 'settings of the process, whose effects are speed and memory',
  'ingest/image/process.ts': 'runs in a process that processes.ts starts; its test asks it',
  'ingest/source/formats/arrow-worker.ts': 'runs in a thread; arrow-thread.test.ts asks it',
  'nlp/phrase-worker.ts': 'runs in a thread; extractor.test.ts asks it',
  'teacher/onnx-worker.ts': 'runs in a thread; onnx-session.test.ts asks it',
  'teacher/glip/box-worker.ts': 'runs in a thread that box-threads.ts starts',
  'nlp/words/': 'word lists; tag-rules.test.ts and gold.test.ts say what they do',
}

interface Shape {
  readonly file: string
  readonly lines: number
  readonly functions: readonly { name: string; lines: number; parameters: number }[]
  readonly anys: number
  /** Nothing that exists when the program runs. */
  readonly isTypes: boolean
}

const sources = filesOf('src').map(shapeOf)
const functions = sources.flatMap(({ file, functions }) =>
  functions.map((one) => ({ ...one, name: `${file}: ${one.name}` })),
)

function filesOf(folder: string): string[] {
  return fs
    .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
}

function shapeOf(file: string): Shape {
  const text = fs.readFileSync(path.join(ROOT, 'src', file), 'utf8')
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line
  const functions: Shape['functions'][number][] = []
  let anys = 0
  const visit = (node: ts.Node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) anys++
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const lines = lineAt(node.end) - lineAt(node.getStart()) + 1
      const isNamed = ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)
      const name = node.name?.getText() ?? `line ${lineAt(node.getStart()) + 1}`
      if (isNamed || lines >= 3) functions.push({ name, lines, parameters: node.parameters.length })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  const lines = source.getLineStarts().length
  return { file, lines, functions, anys, isTypes: source.statements.every(isType) }
}

/** A list of exports counts: it does nothing either. */
function isType(statement: ts.Statement): boolean {
  return (
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isImportDeclaration(statement) ||
    ts.isExportDeclaration(statement)
  )
}

/** The value that nine in ten do not exceed. */
function p90(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.9)]!
}

describe('a source file', () => {
  const testOf = (file: string) => path.join(ROOT, 'test', file.replace(/\.ts$/, '.test.ts'))
  const needsNone = (file: string) =>
    Object.keys(UNTESTED).some((one) => (one.endsWith('/') ? file.startsWith(one) : file === one))

  it('has a test at its path, unless it is types alone', () => {
    const missing = sources.filter(
      ({ file, isTypes }) => !isTypes && !needsNone(file) && !fs.existsSync(testOf(file)),
    )

    expect(missing.map(({ file }) => file)).toEqual([])
  })
  it('is not excused from that if it is gone or has one', () => {
    const stale = Object.keys(UNTESTED).filter((one) =>
      one.endsWith('/')
        ? !sources.some(({ file }) => file.startsWith(one))
        : !fs.existsSync(path.join(ROOT, 'src', one)) || fs.existsSync(testOf(one)),
    )

    expect(stale).toEqual([])
  })
  it('has less than 350 lines, nine times in ten', () => {
    expect(p90(sources.map(({ lines }) => lines))).toBeLessThan(350)
  })
  it('has no any', () => {
    expect(sources.filter(({ anys }) => anys > 0).map(({ file }) => file)).toEqual([])
  })
})

describe('a script in plain JavaScript', () => {
  it('imports what the build has', () => {
    const script = fs.readFileSync(path.join(ROOT, 'scripts/ingest-client.mjs'), 'utf8')
    const imported = [...script.matchAll(/'\.\.\/dist\/(.*)\.js'/g)].map(([, name]) => `${name}.ts`)

    expect(imported.length).toBeGreaterThan(0)
    expect(sources.map(({ file }) => file)).toEqual(expect.arrayContaining(imported))
  })
})

describe('a function', () => {
  it('has at most 120 lines, and less than 55 nine times in ten', () => {
    const long = functions.filter(({ lines }) => lines > 120)

    expect(long.map(({ name }) => name)).toEqual([])
    expect(p90(functions.map(({ lines }) => lines))).toBeLessThan(55)
  })
  it('has at most two parameters, nine times in ten', () => {
    expect(p90(functions.map(({ parameters }) => parameters))).toBeLessThanOrEqual(2)
  })
})

describe('a test', () => {
  it('asks for no upper bound of the time on the wall', () => {
    const asking = filesOf('test').filter((file) => {
      const text = fs.readFileSync(path.join(ROOT, 'test', file), 'utf8')
      return /expect\([^\n]*(performance\.now|Date\.now)[^\n]*\.toBeLess/.test(text)
    })

    expect(asking).toEqual([])
  })
})
