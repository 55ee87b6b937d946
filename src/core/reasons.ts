// The closed vocabulary of why a row did not become a grounding. A code is chosen where the cause is
// known, never derived from an exception's text, so tables over codes stay small and comparable.

/**
 * When a second attempt may help: `now` inside the run and by `retry-failed`; `later` once the host
 * or the window it gave has recovered; `never` unless the input or the config changes.
 */
export type Retry = 'now' | 'later' | 'never'

/** The stage that gave the row up, in pipeline order. */
export type StageName = 'source' | 'caption' | 'phrases' | 'fetch' | 'image' | 'teacher'

interface ReasonInfo {
  readonly stage: StageName
  readonly retry: Retry
}

/** By code, in pipeline order: the stage that gives the row up, and when another attempt may help. */
export const REASONS = {
  // source: the row itself
  row_malformed: { stage: 'source', retry: 'never' },
  row_too_long: { stage: 'source', retry: 'never' },
  encoding_invalid: { stage: 'source', retry: 'never' },
  image_missing: { stage: 'source', retry: 'never' },
  key_duplicate: { stage: 'source', retry: 'never' },
  member_unsafe: { stage: 'source', retry: 'never' },
  source_damaged: { stage: 'source', retry: 'never' },
  source_failed: { stage: 'source', retry: 'never' }, // the dataset itself says so (img2dataset status)
  not_listed: { stage: 'source', retry: 'never' }, // by source.allowList
  // caption
  caption_missing: { stage: 'caption', retry: 'never' },
  caption_empty: { stage: 'caption', retry: 'never' },
  caption_too_short: { stage: 'caption', retry: 'never' },
  caption_too_long: { stage: 'caption', retry: 'never' },
  caption_language: { stage: 'caption', retry: 'never' },
  caption_script: { stage: 'caption', retry: 'never' },
  caption_special_token: { stage: 'caption', retry: 'never' },
  caption_not_ascii: { stage: 'caption', retry: 'never' },
  caption_emoji: { stage: 'caption', retry: 'never' },
  caption_boilerplate: { stage: 'caption', retry: 'never' },
  caption_repeated: { stage: 'caption', retry: 'never' },
  // phrases
  phrases_none: { stage: 'phrases', retry: 'never' },
  phrases_invalid: { stage: 'phrases', retry: 'never' },
  phrases_timeout: { stage: 'phrases', retry: 'never' },
  // fetch
  duplicate_url: { stage: 'fetch', retry: 'never' },
  url_invalid: { stage: 'fetch', retry: 'never' },
  url_scheme: { stage: 'fetch', retry: 'never' },
  url_credentials: { stage: 'fetch', retry: 'never' },
  url_port: { stage: 'fetch', retry: 'never' },
  addr_blocked: { stage: 'fetch', retry: 'never' },
  robots_disallowed: { stage: 'fetch', retry: 'never' },
  robots_unreachable: { stage: 'fetch', retry: 'later' },
  optout_header: { stage: 'fetch', retry: 'never' },
  blocklist_url: { stage: 'fetch', retry: 'never' },
  blocklist_hash: { stage: 'fetch', retry: 'never' },
  hook_dropped: { stage: 'fetch', retry: 'never' },
  hook_quarantined: { stage: 'fetch', retry: 'never' }, // for a person to look at
  dns_nxdomain: { stage: 'fetch', retry: 'never' },
  dns_timeout: { stage: 'fetch', retry: 'now' },
  dns_servfail: { stage: 'fetch', retry: 'now' },
  connect_refused: { stage: 'fetch', retry: 'now' },
  connect_timeout: { stage: 'fetch', retry: 'now' },
  connect_reset: { stage: 'fetch', retry: 'now' },
  tls_error: { stage: 'fetch', retry: 'never' },
  http_invalid: { stage: 'fetch', retry: 'never' },
  http_4xx: { stage: 'fetch', retry: 'never' },
  http_408: { stage: 'fetch', retry: 'now' },
  http_425: { stage: 'fetch', retry: 'now' },
  http_429: { stage: 'fetch', retry: 'later' },
  http_5xx: { stage: 'fetch', retry: 'now' },
  redirect_limit: { stage: 'fetch', retry: 'never' },
  redirect_blocked: { stage: 'fetch', retry: 'never' },
  deadline: { stage: 'fetch', retry: 'now' },
  stalled: { stage: 'fetch', retry: 'now' },
  body_too_large: { stage: 'fetch', retry: 'never' },
  body_empty: { stage: 'fetch', retry: 'never' },
  body_truncated: { stage: 'fetch', retry: 'now' },
  body_encoding: { stage: 'fetch', retry: 'never' },
  host_circuit_open: { stage: 'fetch', retry: 'later' },
  file_missing: { stage: 'fetch', retry: 'now' },
  file_unreadable: { stage: 'fetch', retry: 'now' },
  hash_mismatch: { stage: 'fetch', retry: 'never' },
  // image
  not_image: { stage: 'image', retry: 'never' },
  format_blocked: { stage: 'image', retry: 'never' },
  decode_error: { stage: 'image', retry: 'never' },
  decode_truncated: { stage: 'image', retry: 'never' },
  decode_timeout: { stage: 'image', retry: 'never' },
  too_many_parts: { stage: 'image', retry: 'never' }, // scans or segments of a JPEG, frames of a WebP
  too_many_pixels: { stage: 'image', retry: 'never' },
  too_small: { stage: 'image', retry: 'never' },
  too_few_bytes: { stage: 'image', retry: 'never' },
  aspect_ratio: { stage: 'image', retry: 'never' },
  duplicate_content: { stage: 'image', retry: 'never' },
  duplicate_pair: { stage: 'image', retry: 'never' },
  duplicate_near: { stage: 'image', retry: 'never' },
  // teacher
  prompt_too_long: { stage: 'teacher', retry: 'never' },
  teacher_failed: { stage: 'teacher', retry: 'now' },
} as const satisfies Readonly<Record<string, ReasonInfo>>

/** Why a row did not become a grounding. */
export type ReasonCode = keyof typeof REASONS

/** The stage that gives rows up for this reason. */
export function stageOf(code: ReasonCode): StageName {
  return REASONS[code].stage
}

/** When another attempt may help. */
export function retryOf(code: ReasonCode): Retry {
  return REASONS[code].retry
}

/**
 * True for a match with a list of what nobody may have: no record of the row names its URL, path or
 * host; a keyed digest stands for them.
 */
export function isSealed(code: ReasonCode): boolean {
  return code === 'blocklist_hash'
}

/** A row that did not become a grounding: a line of rejects.jsonl. */
export interface Reject {
  readonly key: string
  /** Row number in the source. */
  readonly row: number
  readonly stage: StageName
  readonly code: ReasonCode
  /** At most 200 characters, without control characters. */
  readonly detail: string
  readonly url?: string
  readonly httpStatus?: number
  readonly host?: string
  readonly attempts?: number
  /** When a hash list matched, ISO 8601. */
  readonly time?: string
  /** In place of `url`: hex HMAC-SHA256 of it with the run's url-key. */
  readonly urlDigest?: string
}
