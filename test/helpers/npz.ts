// Reads NumPy's .npz files: a zip archive of .npy arrays.

import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'

export interface NpyArray {
  readonly shape: readonly number[]
  readonly data: Float32Array | Float64Array | Uint8Array | BigInt64Array
}

/** Arrays by name, without ".npy". */
export function readNpz(file: string | URL): Record<string, NpyArray> {
  const bytes = readFileSync(file)
  const arrays: Record<string, NpyArray> = {}
  // The end record, then the central directory, whose sizes are right even for streamed members.
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  let at = bytes.readUInt32LE(end + 16)
  for (let member = bytes.readUInt16LE(end + 10); member > 0; member--) {
    const isDeflated = bytes.readUInt16LE(at + 10) === 8
    const size = bytes.readUInt32LE(at + 20)
    const nameLength = bytes.readUInt16LE(at + 28)
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength)
    const local = bytes.readUInt32LE(at + 42)
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28)
    const stored = bytes.subarray(start, start + size)
    arrays[name.replace(/\.npy$/, '')] = parseNpy(isDeflated ? inflateRawSync(stored) : stored)
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32)
  }
  return arrays
}

function parseNpy(bytes: Buffer): NpyArray {
  const headerLength = bytes.readUInt16LE(8)
  const header = bytes.toString('latin1', 10, 10 + headerLength)
  const shape = [...header.match(/'shape': \(([^)]*)\)/)![1]!.matchAll(/\d+/g)].map(Number)
  const type = header.match(/'descr': '([^']+)'/)![1]!
  // A copy, because typed arrays must begin at a multiple of their width.
  const body = Uint8Array.from(bytes.subarray(10 + headerLength)).buffer
  switch (type) {
    case '<f4':
      return { shape, data: new Float32Array(body) }
    case '<f8':
      return { shape, data: new Float64Array(body) }
    case '|u1':
      return { shape, data: new Uint8Array(body) }
    case '<i8':
      return { shape, data: new BigInt64Array(body) }
    default:
      throw new Error(`no reader for dtype ${type}`)
  }
}

/** The array of a name as float32. */
export function floats(arrays: Record<string, NpyArray>, name: string): Float32Array {
  const data = arrays[name]?.data
  if (!(data instanceof Float32Array)) throw new Error(`${name} is no float32 array`)
  return data
}

/** The array of a name as numbers, whatever its type. */
export function numbers(arrays: Record<string, NpyArray>, name: string): number[] {
  const data = arrays[name]?.data
  if (data === undefined) throw new Error(`no array ${name}`)
  return Array.from(data as ArrayLike<number | bigint>, Number)
}
