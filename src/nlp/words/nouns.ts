// Nouns that compromise does not know or reads as something else, and words that are noun and verb.

import { setOf } from './list.ts'

/** Nouns of which things are made; before another noun they describe it. */
export const MATERIALS = setOf(`
  brick steel iron glass paper cardboard rubber ceramic porcelain marble granite wicker bamboo
  stone concrete leather plastic metal wool cotton silk velvet lace wood lumber plywood fabric
  cloth`)

/** Things of captions that the lexicon lacks or reads as something else. */
export const NOUNS = setOf(`
  pillar collar dollar cellar baby adult male female sheep monitor zone cycle square skateboard
  snowboard surfboard frisbee giraffe zebra elephant bicycle motorcycle motorbike bike scooter bus
  van truck train airplane aeroplane plane jet helicopter boat canoe kayak raft ship sailboat ferry
  wheelchair stroller tractor trailer wagon cart carriage sidewalk crosswalk street road highway
  bridge tunnel tower castle church cathedral temple mosque house cottage cabin barn shed garage
  kitchen bathroom bedroom toilet sink tub bathtub faucet mirror towel refrigerator fridge oven
  stove microwave counter countertop cabinet table desk chair couch sofa bench stool bed pillow
  blanket curtain window door wall floor lamp candle vase flower rose plant tree bush grass leaf
  branch log stump rock stone boulder pebble mountain hill cliff canyon valley river stream creek
  lake pond ocean sea beach sand snow ice mud dirt field meadow pasture park garden yard backyard
  lawn patio porch deck balcony fence gate dog puppy cat kitten horse pony donkey cow calf bull
  lamb goat pig rabbit bird duck goose swan eagle hawk owl parrot pigeon seagull chicken rooster
  hen bear monkey lion tiger fish turtle snake butterfly bee shirt t-shirt tee-shirt tshirt jacket
  coat sweater sweatshirt hoodie vest pants jeans shorts skirt dress suit tie hat cap helmet glove
  mitten scarf shoe boot sandal sneaker sock goggles sunglasses glasses bikini swimsuit uniform
  costume robe apron backpack purse handbag bag suitcase luggage umbrella ball baseball basketball
  football soccer tennis golf volleyball hockey rugby racket racquet bat mitt kite guitar piano
  violin drum trumpet saxophone microphone camera laptop computer keyboard phone cellphone
  television tv remote cake pizza sandwich burger hotdog bread bowl plate cup mug glass bottle can
  fork knife spoon napkin banana apple orange lemon carrot broccoli tomato potato salad soup rice
  pasta noodle cheese meat steak cookie donut doughnut pastry coffee tea wine beer juice man woman
  boy girl child kid toddler infant person lady gentleman guy teenager couple crowd group team band
  player skier surfer skateboarder snowboarder skater swimmer runner cyclist biker bicyclist rider
  driver worker soldier policeman policewoman police officer fireman firefighter cowboy bride groom
  chef waiter waitress bartender musician singer guitarist drummer dancer performer artist vendor
  shopper pedestrian tourist hiker climber fisherman referee umpire catcher batter pitcher goalie
  hair beard mustache moustache face head hand arm leg foot finger mouth nose eye ear neck back
  chest tail wing paw mane tongue tooth playground swing slide seesaw trampoline pool fountain
  statue sculpture monument graffiti mural sign billboard banner flag balloon tent canopy awning
  bucket barrel basket crate box trash stadium arena court rink track ramp rail stairs staircase
  step escalator elevator subway station platform airport runway tarmac dock pier harbor marina
  sunset sunrise sunlight weather sky cloud rain fog sun moon star foliage forest woods jungle
  desert festival parade concert ceremony party event game match race competition tournament
  newspaper magazine book poster picture painting photo photograph image wheel tire engine steering
  propeller mast sail oar paddle rope chain ladder hammer saw drill shovel broom mop bulldozer
  crane excavator forklift machinery equipment hay straw rag front side top bottom background
  foreground middle center edge corner end outfit attire clothing clothes gear apparel garb makeup
  jewelry necklace bracelet earring lap shoulder cheek knee elbow wrist ankle forehead bmx atv suv
  rv dj cd dvd usa uk trail path pathway walkway alley alleyway driveway curb gravel pavement
  asphalt cobblestone item object thing stuff piece bunch pile stack row line pair set bit lot soda
  ice-cream icecream popcorn candy lollipop cupcake popsicle mat rug carpet cushion seat booth
  stall stand kiosk market shop store restaurant cafe bar pub diner bakery office classroom school
  college university library museum hospital gym toy doll teddy lego puzzle air daylight water area
  way time day night evening morning afternoon meal breakfast lunch dinner snack dessert video show
  movie film wave waterfall shore shoreline coast coastline island surf jersey headband bandana
  tattoo headphones earphones visor hardhat bow arrow sword gun rifle shield armor cigarette cigar
  pipe stage audience choir orchestra spectator bystander onlooker passerby hoop net goal hurdle
  pole beam hose sprinkler sprinklers bubble bubbles snowball snowman pigtails ponytail dreadlocks
  mohawk afro ox yak camel llama deer moose elk antelope rhino hippo sidecar moped rickshaw taxi
  cab limousine minivan pickup trolley tram streetcar sheepdog collie labrador retriever terrier
  poodle greyhound dachshund bulldog beagle toothbrush toothpaste comb hairbrush razor hairdryer
  nightstand dresser wardrobe closet shelf bookshelf bookcase cupboard drawer pan pot kettle
  skillet wok tray nail spice firm dam quote intern exit bundle sting import armchair recliner
  ottoman loveseat futon hammock`)

/** People and animals: what stands after one of them is what it does rather than a part of its name. */
export const ANIMATE = setOf(`
  man woman boy girl child kid baby toddler infant person lady gentleman guy teen teenager adult
  male female men women people children couple crowd group team player players mother father son
  daughter brother sister friend wife husband dog cat horse cow bird bear elephant giraffe zebra
  sheep duck puppy kitten goat monkey lion tiger skier surfer skateboarder snowboarder runner
  cyclist rider driver worker soldier policeman policewoman fireman firefighter bride groom chef
  musician individual singer guitarist dancer artist student teacher boxer climber hiker swimmer
  fisherman athlete`)

/** Of the words below, those that are a noun far more often: only a near, fitting subject makes them verbs. */
export const NOUN_FIRST = setOf(`
  plant monitor park board track face hand head back bowl box ski surfboard skateboard snowboard
  bike dress shop fish water paint point circle line crowd rock film train trip tour photograph
  picture video stack pile string tie nest lead record sign chair dish table top cover shade fire
  lift display light trick grind block strap pack guard pet golf boat kayak canoe paddle sail brush
  bat land float pitch host view border cap screen place star model base court trail frame show
  study practice exercise parade march`)

/** Noun or verb by context; the -s forms too. */
export const NOUN_OR_VERB = setOf(`
  stand ride play look pose walk run jump swing slide ski surf skate climb kick throw catch pitch
  hit swim dance drink cook talk smile laugh work watch wave race fish hike sail paddle row drive
  fly turn cross pass pull push fall rest sleep wait stop start stretch reach touch board camp
  dress shop paint draw cut mix pour wash brush dry clean water plant feed pet hug kiss face head
  hand back lead guide help show display point stare view sign park land float rise charge chase
  fight box wrestle bat block tackle guard serve toss roll spin flip dive splash spray skateboard
  snowboard bike travel trip tour visit rock crowd line circle cover shade light fire smoke burn
  blow sound record film photograph picture video study practice train exercise march parade lift
  carry drop hold grab grip haul drag tow load move leap bounce hop step sip bite lick taste snack
  cheer clap shout call cry scream yell whisper chat sweep mop dust rake dig plow harvest pick
  crawl sprint dash trick grind bowl golf pile stack string strap tie wrap pack fold balance hang
  perch nest graze gesture salute greet shake pat rub scratch glance gaze peek`)
