// A model is a folder: graph, vocabulary, and a teacher.json that says how to use them and what their
// bytes must be. Written by models/glip; nothing in it is trusted before it is checked.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { InputError, messageOf } from '../core/errors.ts'
import { createTokenizer, parseVocab, type Tokenizer } from './glip/tokenizer.ts'

export const GRAPH_FILE = 'model.onnx'
export const VOCAB_FILE = 'vocab.txt'
export const DESCRIPTION_FILE = 'teacher.json'

const FORMAT_VERSION = 1

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits')
const fileName = z.string().regex(/^[\w-][\w.-]*$/, 'must be a plain file name')
const positive = z.number().positive()
const triple = z.tuple([z.number(), z.number(), z.number()])

const teacherJsonSchema = z
  .object({
    formatVersion: z.literal(FORMAT_VERSION),
    id: z.string().min(1),
    architecture: z.literal('glip'),
    variant: z.string().min(1),
    precision: z.enum(['fp32', 'fp16', 'int8']),
    /** A graph that returns token logits, for parity tests; it cannot ground. */
    raw: z.boolean(),
    files: z
      .record(fileName, z.object({ size: z.int().nonnegative(), sha256: sha256Schema }))
      .refine((files) => GRAPH_FILE in files, `must list ${GRAPH_FILE}`)
      .refine((files) => VOCAB_FILE in files, `must list ${VOCAB_FILE}`),
    inputs: z.object({
      images: z.string(),
      imageSizes: z.string(),
      inputIds: z.string(),
      attentionMask: z.string(),
      positiveMap: z.string(),
    }),
    outputs: z.object({ phraseProb: z.string(), boxReg: z.string(), centerness: z.string() }),
    image: z
      .object({
        /** px; the size rule is `resizedSize`. */
        shortSide: z.int().positive(),
        longSide: z.int().positive(),
        padMultiple: z.int().positive(),
        /** Of the normalisation, which is in the graph: for the record. */
        channelOrder: z.enum(['BGR', 'RGB']),
        mean: triple,
        std: triple,
      })
      .refine(({ shortSide, longSide }) => shortSide <= longSide, 'shortSide is above longSide'),
    text: z.object({ maxTokens: z.int().min(8), lowerCase: z.boolean() }),
    anchors: z
      .object({ strides: z.array(positive).min(1), sizes: z.array(positive).min(1) })
      .refine(({ strides, sizes }) => strides.length === sizes.length, 'one size per stride'),
    boxWeights: z.tuple([positive, positive, positive, positive]),
    postprocess: z.object({
      candidateScore: z.number().min(0).max(1),
      preNms: z.int().positive(),
      nmsIou: z.number().min(0).max(1),
      maxBoxes: z.int().nonnegative(),
    }),
    /** Score at which a box is shown or exported unless the user says otherwise. */
    defaultScore: z.number().min(0).max(1),
    licence: z.string(),
    /** Where the weights come from and how the folder was made. */
    provenance: z.record(z.string(), z.string()),
  })
  .refine(
    ({ image, anchors }) => anchors.strides.slice(0, 3).every((s) => image.padMultiple % s === 0),
    {
      path: ['image', 'padMultiple'],
      message: 'must be a multiple of the first three strides',
    },
  )

/** teacher.json, checked. */
export type TeacherDescription = z.output<typeof teacherJsonSchema>

/** A model folder whose files are what its teacher.json says. */
export interface ModelFolder {
  readonly path: string
  readonly description: TeacherDescription
  /** Hex, of the bytes of teacher.json, which holds the sha256 of every other file. */
  readonly sha256: string
  readonly tokenizer: Tokenizer
}

/**
 * Reads and checks a model folder: the description, then size and sha256 of each file (one pass over
 * their bytes), then the vocabulary.
 *
 * @throws InputError naming the file or field, what is there and what was expected
 */
export async function readModelFolder(path: string): Promise<ModelFolder> {
  const { description, sha256 } = await readDescription(path)
  for (const [name, expected] of Object.entries(description.files)) {
    await checkFile(join(path, name), expected)
  }
  const vocab = parseVocab(await readFile(join(path, VOCAB_FILE), 'utf8'))
  try {
    const tokenizer = createTokenizer(vocab, description.text.lowerCase)
    return { path, description, sha256, tokenizer }
  } catch (error) {
    throw new InputError(`${join(path, VOCAB_FILE)}: ${messageOf(error)}`)
  }
}

/** teacher.json alone, without a look at the other files. */
export async function readDescription(
  path: string,
): Promise<{ readonly description: TeacherDescription; readonly sha256: string }> {
  const file = join(path, DESCRIPTION_FILE)
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (error) {
    throw new InputError(`${file} cannot be read (${messageOf(error)}); is ${path} a model folder?`)
  }
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw new InputError(`${file} is not JSON: ${messageOf(error)}`)
  }
  const version = z.object({ formatVersion: z.unknown() }).safeParse(json).data?.formatVersion
  if (typeof version === 'number' && version !== FORMAT_VERSION) {
    throw new InputError(
      `${file} has formatVersion ${version}; this version of groundmill reads ${FORMAT_VERSION}`,
    )
  }
  const parsed = teacherJsonSchema.safeParse(json)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new InputError(`${file} is not a teacher description: ${problems.join('; ')}`)
  }
  return { description: parsed.data, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/** @throws InputError when the file is not there or holds other bytes than teacher.json says */
export async function checkFile(
  file: string,
  expected: { readonly size: number; readonly sha256: string },
): Promise<void> {
  const remedy = 'copy the model folder again'
  let size: number
  try {
    size = (await stat(file)).size
  } catch (error) {
    throw new InputError(`${file} is missing (${messageOf(error)}); ${remedy}`)
  }
  if (size !== expected.size) {
    throw new InputError(`${file} has ${size} bytes, teacher.json says ${expected.size}; ${remedy}`)
  }
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer)
  }
  const sha256 = hash.digest('hex')
  if (sha256 !== expected.sha256) {
    throw new InputError(
      `${file} has sha256 ${sha256}, teacher.json says ${expected.sha256}; ${remedy}`,
    )
  }
}
