// The one way in which bytes of a data set become text.

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text as it stands, a byte order mark included; undefined for bytes that are no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}
