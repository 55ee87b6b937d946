// What is taken out of a caption before it is read, in order. Alt text is written for shops and search
// engines; what is left after these rules is stored, and its spans map back to the source.

import { decodeHTMLAttribute } from 'entities/decode'

/** How much is taken out, `alt-text` the more. */
export type CleanLevel = 'markup' | 'alt-text'

/** One thing that is taken out or put in another way. */
export interface CleanRule {
  readonly name: string
  /** `alt-text` cleans by all rules, `markup` by its own alone. */
  readonly level: CleanLevel
  readonly reason: string
  /** Global; repetitions are bounded but for blanks between fixed words: no caption takes more than linear time. */
  readonly pattern: RegExp
  /** What a match becomes; undefined leaves it. */
  readonly replacement: string | ((match: RegExpExecArray) => string | undefined)
  /** A caption before and after this rule alone. */
  readonly example: readonly [before: string, after: string]
}

/**
 * As browsers read an attribute, which is where captions of the web stand: names of HTML with their semicolon;
 * those of old without it too, unless a letter, a digit or "=" follows ("AT&T", "guitar&amplifier" and
 * "?a=1&copy=2" stay); numbers with or without. Beyond that, names in capitals, and one kind of space.
 */
function decodeEntity([entity]: RegExpExecArray): string | undefined {
  const spellings = entity.endsWith(';') ? [entity, entity.toLowerCase()] : [entity]
  for (const spelling of spellings) {
    const decoded = decodeHTMLAttribute(spelling)
    if (decoded !== spelling) return decoded.replace(/\s/g, ' ')
  }
  return undefined
}

const entity: Omit<CleanRule, 'name' | 'example' | 'reason'> = {
  level: 'markup',
  pattern: /&(?:#(?:\d{1,32}|x[\da-f]{1,32});?|[a-z][a-z\d]{1,31}(?:;|(?![a-z\d=;])))/gi,
  replacement: decodeEntity,
}

/** Words that name the medium, as stock sites put them together. */
const MEDIUM =
  '(?:photo(?:graph)?s?|images?|pictures?|pics?|photography|illustrations?|vectors?|footage|video|clip ?art|icons?|art)'
const STOCK = `(?:(?:high[- ]quality|free|premium|stock|royalty[- ]free|hd|4k|download)\\s+){1,4}(?:(?:vector|editorial|digital)\\s+)?${MEDIUM}`

/** In the order in which they are applied. */
export const CLEAN_RULES: readonly CleanRule[] = [
  {
    ...entity,
    name: 'entity',
    reason: 'HTML entities stand for characters',
    example: ['Tom&#39;s red &amp; blue bike', "Tom's red & blue bike"],
  },
  {
    ...entity,
    name: 'entity-again',
    reason: 'web text is often escaped twice',
    example: ['A cat &amp; a dog', 'A cat & a dog'],
  },
  {
    name: 'control',
    level: 'markup',
    reason: 'control characters are no text',
    pattern: /(?!\s)\p{Cc}/gu,
    replacement: ' ',
    example: ['a red\u0007 barn\u0085by a lake', 'a red  barn by a lake'],
  },
  {
    name: 'invisible',
    level: 'markup',
    // Joiners (U+200C, U+200D) shape letters and emoji; they stay.
    reason: 'soft hyphens, zero-width spaces and marks of direction split words unseen',
    pattern: /[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069]/g,
    replacement: '',
    example: ['a blue\u00adberry \u202epie\u202c', 'a blueberry pie'],
  },
  {
    name: 'tag',
    level: 'markup',
    reason: 'HTML tags and comments are no text',
    pattern: /<!--.{0,500}?-->|<\/?[a-z][a-z\d]{0,15}(?:\s[^<>]{0,500})?\/?>/gis,
    replacement: (match) =>
      // <PERSON> and the like stand for a word.
      /^<[A-Z]{2,}>$/.test(match[0]) &&
      !/^<(?:BR|HR|LI|UL|OL|TD|TR|TH|EM|IMG|DIV|SPAN)>$/.test(match[0])
        ? undefined
        : ' ',
    example: ['<b>Wooden chair</b> with cushion', ' Wooden chair  with cushion'],
  },
  {
    name: 'url',
    level: 'markup',
    reason: 'an address names nothing in the picture',
    pattern:
      /(?:(?:photo|image|picture|source|via|credits?|from|at)\s{0,3}:?\s{1,3}){0,2}(?:https?:\/\/|www\.)[^\s<>"]{1,1000}/gi,
    replacement: ' ',
    example: ['A red barn, photo via www.example.com/a?id=3', 'A red barn,  '],
  },
  {
    name: 'email',
    level: 'markup',
    reason: 'an address names nothing in the picture',
    pattern: /(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}/g,
    replacement: ' ',
    example: ['A desk (write to shop@example.com)', 'A desk (write to  )'],
  },
  {
    name: 'file-name',
    level: 'markup',
    reason: 'file names are machine text',
    pattern:
      /(?<![\w.-])[\w-][\w.()-]{0,120}\.(?:jpe?g|png|gif|webp|bmp|tiff?|svg|heic|avif|pdf|psd|eps|mp4|mov)(?![\w-])/gi,
    replacement: ' ',
    example: ['sofa_grey_front_02.png', ' '],
  },
  {
    name: 'camera-name',
    level: 'markup',
    reason: 'names that cameras and content systems give to files',
    pattern:
      /(?<![\w-])(?:(?:IMG|DSC[NF]?|PXL|MVI|GOPR|WP|SAM|Screenshot)[_-]?\d{3,20}[\w-]{0,40}|[a-z]\w{0,40}(?:-\w{1,40}){0,6}-\d{2,5}x\d{2,5})(?![\w-])/g,
    replacement: ' ',
    example: ['DSC_0451 a lake', '  a lake'],
  },
  {
    name: 'hashtag',
    level: 'alt-text',
    reason: 'hashtags are for search, often of what cannot be seen',
    pattern: /(?<![\p{L}\p{N}&/])#(?=[\p{N}_]{0,20}\p{L})[\p{L}\p{N}_]{1,100}/gu,
    replacement: ' ',
    example: ['sunset over the pier #sunset #nofilter', 'sunset over the pier    '],
  },
  {
    name: 'mention',
    level: 'alt-text',
    reason: 'account names name nothing in the picture',
    pattern: /(?:\bRT\s{1,3})?(?<![\w.+-])@[A-Za-z_]\w{1,30}(?:\.\w{1,30})?:?/g,
    replacement: ' ',
    example: ['RT @cityzoo: baby elephant', '  baby elephant'],
  },
  {
    name: 'stock-prefix',
    level: 'alt-text',
    reason: 'stock sites begin with what they sell',
    pattern: new RegExp(
      String.raw`^\s{0,5}(?:download\s+)?(?:${STOCK}\s{0,3}(?:of\s+|featuring\s+|showing\s+|[:|–—]\s{0,3}|-{1,2}\s+)|(?:file|stock|premium|free|editorial)\s+${MEDIUM}\s{0,3}[:|–—-]{1,2}\s{0,3}|click (?:here )?to (?:enlarge|zoom|view)\s{0,3}[:|–-]?\s{0,3})`,
      'gi',
    ),
    replacement: '',
    example: ['FILE PHOTO: A rainbow over a skyline', 'A rainbow over a skyline'],
  },
  {
    name: 'stock-suffix',
    level: 'alt-text',
    reason: 'stock sites end with what they sell',
    pattern: new RegExp(
      String.raw`\s{0,3}(?:[,.|–—-]|--)\s{0,3}(?:${STOCK}|stock(?: ${MEDIUM})?|royalty[- ]free)(?:\s+(?:and|&)\s+\w{1,20}\s+${MEDIUM})?\s{0,3}[#.]?\s{0,3}$`,
      'gi',
    ),
    replacement: '',
    example: ['An old man -- stock photo #', 'An old man'],
  },
  {
    name: 'site-suffix',
    level: 'alt-text',
    reason: 'what follows the last bar is the name of the site',
    pattern: /\s{1,3}\|\s{1,3}[^|]{1,60}$/g,
    // Less than three words before the bar are the name of something themselves.
    replacement: ({ input, index }) =>
      /\w\W+\w+\W+\w/.test(input.slice(0, Math.min(index, 200))) ? '' : undefined,
    example: ['Old red barn in a field | Farm Pictures', 'Old red barn in a field'],
  },
  {
    name: 'article-number',
    level: 'alt-text',
    reason: 'article numbers of shops',
    pattern:
      /(?<![\w-])(?:(?:sku|ean|upc|asin|isbn|mpn)\s{0,2}[:#-]?\s{0,2}|(?:item|model|part|art|article|style|ref|product)\s{0,2}(?:no\.?|number|code|id|nr\.?|#)\s{0,2}[:#]?\s{0,2})(?=[A-Z\d-]{0,20}\d)[A-Z\d][A-Z\d-]{1,30}(?![\w-])/gi,
    replacement: ' ',
    example: ['Leather wallet brown SKU: LW-4471-BR', 'Leather wallet brown  '],
  },
  {
    name: 'offer',
    level: 'alt-text',
    reason: 'what the shop says of the offer, not of the thing',
    pattern:
      /(?<![\w-])(?:free (?:shipping|delivery)|sold out|(?:up to )?\d{1,3}\s?% off|on sale now|best ?seller|new arrivals?|buy (?:now|online)|shop now|limited edition)(?![\w-])\s{0,2}[:!]?/gi,
    replacement: ' ',
    example: ['SOLD OUT: BLUE VELVET ARMCHAIR', '  BLUE VELVET ARMCHAIR'],
  },
]
