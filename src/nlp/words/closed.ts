// Closed classes of English: words whose class the context hardly changes. They override the lexicon.

import { list, setOf } from './list.ts'

/** Before everything else in a phrase; possessives too. */
export const DETERMINERS = setOf(`
  a an the this that these those some any each every either neither no another my your his its our
  their her whose it's what's-his-name both all half such what which`)

/** Number words and quantifiers that stand between determiner and adjectives. */
export const NUMBERS = setOf(`
  zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
  sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred
  thousand million billion several many few fewer multiple various numerous countless dozen more
  most much less enough other certain same own first second third fourth fifth sixth seventh eighth
  ninth tenth last next`)

/** Before the phrase that they govern. */
export const PREPOSITIONS = setOf(`
  about above across after against along alongside amid amidst among amongst around as at atop
  before behind below beneath beside besides between beyond by concerning despite down during
  except for from in inside into like near nearby of off on onto opposite out outside over past per
  regarding since than through throughout till toward towards under underneath unlike until up upon
  versus via with within without aboard astride w/ vs while whilst aside apart minus plus`)

/** Between two of the same kind. */
export const COORDINATORS = setOf(`and or nor`)

/** Before a clause. */
export const CONJUNCTIONS = setOf(`
  but so because although though if when whenever where wherever unless yet whereas once whether
  why how however therefore thus`)

/** Instead of a phrase; none is asked for. */
export const PRONOUNS = setOf(`
  i you he she it we they me him us them mine yours hers ours theirs myself yourself himself
  herself itself ourselves yourselves themselves oneself whom someone somebody something anyone
  anybody anything everyone everybody everything nobody nothing none whoever whatever whichever
  there here others i'm you're he's she's we're they're i've you've we've they've i'd you'd he'd
  she'd we'd they'd im ive i'll you'll he'll she'll it'll we'll they'll who's who'd that's there's
  here's what's let's where's how's`)

/** Be, have, do, modals and their negations. */
export const AUXILIARIES = setOf(`
  is are was were be been being am isn't aren't wasn't weren't ain't has have had having hasn't
  haven't hadn't do does did don't doesn't didn't can could may might must shall should will would
  havent hasnt didnt doesnt isnt arent wasnt werent wouldnt shouldnt couldnt cannot can't couldn't
  won't wouldn't shouldn't mustn't needn't ought gonna wanna gotta dont cant`)

/** Of place, time and degree, and what else never is in a phrase but before an adjective. */
export const ADVERBS = setOf(`
  very too also just only even still again almost already always never often sometimes soon then
  now ever quite rather really perhaps maybe together apart away back forward forwards backward
  backwards upward upwards downward downwards upside indoors outdoors outward inward sideways
  overhead downtown uphill downhill upstairs downstairs ahead abroad anyway else instead later
  earlier somewhere anywhere outta herein ago w/o everywhere nowhere not n't twice once thereby
  hereby abreast aloft ashore astern aloud alike afar mid-air midair mid-jump midflight mid-flight
  airborne mid-swing mid-stride side-by-side cross-legged hand-in-hand face-to-face nearly about-to
  barely hardly simply well so-called somehow somewhat meanwhile moreover furthermore otherwise
  indeed please thanks hello hi ok okay yes yeah oh wow hey lol`)

/** Open a clause about the noun before; "that" depends on its context. */
export const RELATIVES = setOf(`who which`)

/** Word groups that act as one preposition or adverb; none of their words starts a phrase. */
export const FIXED_GROUPS = list(`
  in|front|of on|top|of next|to close|to out|of because|of instead|of in|between such|as as|well|as
  as|well|each|other one|another at|least at|most at|all at|once of|course in|general in|order|to
  ahead|of away|from due|to according|to up|to in|case|of in|spite|of in|addition|to along|with
  as|if as|far|as as|soon|as so|that even|though other|than for|example at|first in|fact by|far
  in|particular right|now in|back|of on|board side|by|side hand|in|hand face|to|face back|to|back
  one|by|one at|last so|far once|again in|there out|there up|there down|there over|there
  cross|legged no|one`)

/** Prepositions that open a clause as often: the verb before them is not the verb after them. */
export const CLAUSE_OPENERS = setOf(`while whilst as until since before after than`)
