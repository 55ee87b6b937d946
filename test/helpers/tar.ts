// Tars made header by header, so that they can break every rule.

export interface TarEntry {
  readonly name: string | Buffer
  readonly body?: string | Uint8Array
  /** Default '0', a file. */
  readonly type?: string
  /** What the header claims, where it is not the body's length: a number or the 12 bytes. */
  readonly size?: number | Buffer
  readonly link?: string
  readonly checksum?: number
}

/** One entry: header, body, padding to 512 bytes. */
export function tarEntry({ name, body = '', type = '0', size, link = '', checksum }: TarEntry) {
  const bytes = Buffer.from(body)
  const header = Buffer.alloc(512)
  Buffer.from(name).copy(header, 0, 0, 100)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  if (Buffer.isBuffer(size)) size.copy(header, 124)
  else header.write(`${(size ?? bytes.length).toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write(type, 156)
  header.write(link, 157)
  header.write('ustar\0' + '00', 257)
  header.write('        ', 148)
  const sum = checksum ?? header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

/** The entries and the end mark. */
export function makeTar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)])
}

/** A pax header with these records for the entry that follows. */
export function paxEntry(records: Readonly<Record<string, string>>): TarEntry {
  const body = Object.entries(records)
    .map(([key, value]) => {
      const rest = ` ${key}=${value}\n`
      const length = (digits: number) => Buffer.byteLength(rest) + digits
      const digits = String(length(String(length(2)).length)).length
      return `${length(digits)}${rest}`
    })
    .join('')
  return { name: 'pax', type: 'x', body }
}

/** The members of one sample. */
export function sampleEntries(key: string, caption = `caption of ${key}`): TarEntry[] {
  return [
    { name: `${key}.jpg`, body: `jpeg of ${key}` },
    { name: `${key}.txt`, body: caption },
  ]
}
