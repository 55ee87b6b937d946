// Words that describe. In front of a noun they belong to its phrase; alone they are no phrase.

import { setOf } from './list.ts'

/** Colours; also what else follows "dressed in" or "wearing" and is then no thing of its own. */
export const COLOURS = setOf(`
  black white red green blue yellow orange pink purple brown grey gray beige tan gold golden silver
  silvery maroon navy teal turquoise violet indigo magenta cyan lavender khaki cream ivory crimson
  scarlet burgundy blond blonde brunette auburn dark light bright pale colored coloured
  multicolored multi-colored multicoloured multi-coloured colorful colourful tricolor camo plaid
  checkered checked striped polka-dot pinstriped neon pastel peach aqua mauve lilac olive mint
  charcoal bronze copper reddish bluish greenish yellowish brownish greyish whitish blackish
  rainbow-colored lime brown-and-white black-and-white red-and-white blue-and-white denim ginger
  tortoiseshell brindle piebald`)

/** What captions say of things and compromise does not know as an adjective, or not as that alone. */
export const ADJECTIVES = setOf(`
  enormous massive fat chubby middle-aged teenaged ancient vintage contemporary retro rustic
  metallic woolen woollen silken fluffy bearded mustached wavy blond-haired long-haired
  short-haired dark-haired red-haired brown-haired grey-haired gray-haired barefoot barefooted
  shirtless topless bare-chested barechested sleeveless strapless hooded casual traditional
  ceremonial patriotic military african american asian european chinese japanese korean indian
  mexican british english french german italian spanish russian caucasian latino arab muslim
  christian catholic buddhist victorian gothic medieval roman egyptian turkish greek dutch swiss
  irish scottish dry clean messy round square circular oval rectangular triangular curved rocky
  grassy snowy sunny foggy stormy hazy wooded leafy leafless grassless rural downtown local
  tropical coastal aerial adorable pretty gorgeous cheerful serious unusual homeless healthy front
  rear top central middle triple twin solo lone various different similar identical additional
  several professional amateur competitive athletic muscular savory delicious tasty crispy crunchy
  electric electronic digital mechanical manual automatic hydraulic inflatable portable mobile
  blurry fuzzy translucent opaque glossy matte glittery ornate decorative intricate floral
  patterned domestic feral juvenile shaggy scruffy spotty woolly wooly plush one-piece two-piece
  two-story three-story double-decker high-rise oversized life-size lifelike homemade handmade
  man-made available unable same-sex multiple-story stainless bright-colored brightly-colored
  orange-clad black-clad white-clad red-clad off-road all-terrain cross-country cross-legged
  overhead overcast snowless treeless cloudless mountainous forested nighttime daytime reflective
  see-through waterproof camouflage camouflaged front-facing rear-facing asian-american red-headed
  redheaded many-colored two-toned two-tone spiky bushy grungy gritty stony pebbly waist-deep
  knee-deep ankle-deep waist-high knee-high knee-length ankle-length magnificent impressive
  spectacular dramatic scenic picturesque majestic festive exotic artistic realistic geometric
  classic various-sized medium medium-sized mid-size mid-sized small-sized large-sized sized`)

/** Adjectives ending in -ly that would be read as adverbs. */
export const LY_ADJECTIVES = setOf(`
  woolly wooly bubbly holy wobbly bristly gravelly family-friendly unfriendly grizzly wrinkly
  crinkly pebbly`)
