// A stream whose text can be had at any time. (What one `read()` of a PassThrough gives, the whole or the
// next chunk, differs between versions of Node.)

import { Writable } from 'node:stream'

export function collector(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: string[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk.toString())
      done()
    },
  })
  return { stream, text: () => chunks.join('') }
}
