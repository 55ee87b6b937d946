// Words that describe. In front of a noun they belong to its phrase; alone they are no phrase.

import { list } from './list.ts'

/** Colours; also what else follows "dressed in" or "wearing" and is then no thing of its own. */
export const COLOURS = list(`
  black white red green blue yellow orange pink purple brown grey gray beige tan gold golden silver
  silvery maroon navy teal turquoise violet indigo magenta cyan lavender khaki cream ivory crimson
  scarlet burgundy blond blonde brunette auburn dark light bright pale colored coloured multicolored
  multi-colored multicoloured multi-coloured colorful colourful tricolor camo plaid checkered
  checked striped polka-dot pinstriped neon pastel peach aqua mauve lilac olive mint charcoal
  bronze copper reddish bluish greenish yellowish brownish greyish whitish blackish rainbow-colored lime
  brown-and-white black-and-white red-and-white blue-and-white denim
  ginger tortoiseshell brindle piebald`)

/** Size, age, material, state, origin: what captions say of things and compromise may not know. */
export const ADJECTIVES = list(`
  big small large little tiny huge giant gigantic enormous massive long short tall tiny wide narrow
  thick thin fat slim skinny chubby deep shallow high low heavy lightweight old young elderly
  middle-aged teenage teenaged new ancient antique vintage modern contemporary retro rustic
  wooden metallic woolen woollen
  golden silken furry fluffy hairy bald bearded mustached curly wavy straight blond-haired
  long-haired short-haired dark-haired red-haired brown-haired grey-haired gray-haired
  bare barefoot barefooted shirtless topless naked nude bare-chested barechested sleeveless
  strapless hooded formal casual traditional ceremonial patriotic military
  african american asian european chinese japanese korean indian mexican british english french
  german italian spanish russian caucasian hispanic latino arab muslim christian catholic buddhist
  victorian gothic medieval roman egyptian turkish greek dutch swiss irish scottish
  hot cold warm cool wet dry damp muddy dusty dirty clean messy tidy neat rough smooth soft hard
  sharp blunt round square circular oval rectangular triangular flat curved steep rocky sandy grassy
  snowy icy rainy sunny cloudy foggy misty windy stormy hazy wooded leafy leafless grassless
  empty full open shut busy crowded quiet noisy loud calm peaceful rural urban suburban
  downtown local foreign tropical coastal aerial underwater outdoor indoor
  happy sad angry cute adorable beautiful pretty lovely handsome ugly attractive gorgeous cheerful
  serious funny silly scary strange weird odd unusual excited tired bored
  pregnant blind deaf disabled homeless injured sick healthy dead alive asleep awake
  left right front rear upper lower inner outer top bottom main central middle single double triple
  twin solo lone lonely alone various different similar identical opposite additional extra several
  public private professional amateur competitive athletic muscular strong weak fast slow quick
  fresh raw ripe rotten sweet sour spicy salty savory delicious tasty juicy crispy crunchy
  electric electronic digital mechanical manual automatic hydraulic inflatable portable mobile
  blurry fuzzy clear transparent translucent opaque shiny glossy dull matte sparkly glittery
  ornate elegant fancy plain simple decorative elaborate intricate floral patterned
  wild tame domestic stray feral juvenile
  overweight obese shaggy scruffy spotty spotted fuzzy fluffy woolly wooly plush stuffed
  one-piece two-piece two-story three-story double-decker high-rise oversized undersized
  life-size lifelike homemade handmade man-made nearby distant far close remote
  available unable aware same-sex multiple-story stainless bright-colored brightly-colored
  orange-clad black-clad white-clad red-clad off-road all-terrain cross-country cross-legged
  overhead overcast
  snowless treeless cloudless hilly mountainous forested nighttime daytime
  reflective see-through waterproof camouflage camouflaged fluorescent
  front-facing rear-facing asian-american red-headed redheaded
  many-colored two-toned two-tone pointy spiky bushy grungy gritty stony pebbly
  waist-deep knee-deep ankle-deep waist-high knee-high knee-length ankle-length
  magnificent impressive spectacular dramatic scenic picturesque majestic massive festive exotic
  romantic artistic athletic realistic abstract geometric floral organic classic intense extreme various-sized medium medium-sized mid-size mid-sized small-sized large-sized
  sized`)

/** Adjectives ending in -ly, which would be read as adverbs. */
export const LY_ADJECTIVES = list(`
  elderly friendly ugly lovely lonely curly silly hilly woolly wooly bubbly early daily weekly
  monthly yearly holy likely lively deadly wobbly cuddly prickly bristly burly smelly gravelly
  scholarly heavenly costly orderly only family-friendly unfriendly grisly grizzly sparkly wrinkly
  crinkly pebbly`)
