// Forms that the suffix alone does not tell.

import { setOf } from './list.ts'

/** -ing words that name a thing or a place when nothing speaks for the verb. */
export const ING_THINGS = setOf(`
  building buildings clothing ceiling ceilings painting paintings drawings railing railings awning
  awnings wedding weddings evening evenings morning mornings king kings ring rings string strings
  wing wings thing things spring springs swing swings sling earring earrings icing frosting topping
  toppings pudding puddings lightning crossings openings sibling siblings duckling ducklings
  gosling goslings starling starlings herring herrings stocking stockings lining carpeting paving
  siding flooring roofing fencing scaffolding bedding seating lighting plumbing wiring piping
  tubing netting webbing padding covering coverings carvings engraving engravings belongings
  surroundings meetings gathering gatherings inning innings housing shilling viking vikings
  sterling darling pingpong bowling-alley savings feelings meaning meanings warnings wrapping
  trimmings fillings offerings findings ratings settings headings rulings bombings shootings
  killings sayings teachings writings recordings listings bookings postings`)

/** -ing words that name the use of the noun after them: "dining table", "swimming pool". */
export const ING_COMPOUND = setOf(`
  dining swimming parking riding wading bowling boxing shopping washing sewing fishing hiking
  climbing racing skating running walking sleeping cutting chopping mixing measuring baking frying
  serving cooking drinking wrestling diving landing training playing drying ironing vending
  swinging skiing sailing rowing camping hunting writing reading changing waiting meeting sitting
  living dressing boarding loading building gardening welding knitting hearing filing answering
  rocking folding sliding revolving spinning rolling bathing surfing batting catching pitching
  wedding bobbing shipping filling sparring jumping jogging cycling biking skateboarding
  snowboarding dancing singing marching clothing lounging watering feeding grazing breeding milking
  nesting viewing carving mooring docking turning crossing stepping working growing burning setting
  rising falling floating hanging cleaning shaving grooming tanning steering connecting holding
  cooling heating lighting plumbing painting drawing printing recording operating flying driving
  moving trading mining engineering manufacturing sporting gaming betting voting bonding
  conditioning vacuuming polishing paving bulleting scuba-diving banking accounting advertising
  marketing housing`)

/** -ing words that may describe the noun after them without a determiner: "smiling women". */
export const ING_MODIFIER = setOf(`
  smiling laughing sleeping flying matching crying barking grazing running jumping dancing swimming
  standing sitting growing rising falling burning melting floating hanging flowing shining glowing
  flashing blinking sparkling glittering flowering blooming living surrounding remaining existing
  following leading missing working moving rolling rushing crashing speeding screaming cheering
  racing charging galloping surfacing crumbling decaying rotting aging ageing opposing competing
  visiting oncoming passing towering overhanging low-hanging amazing interesting exciting stunning
  charming loving daring boring relaxing refreshing breathtaking overlapping interlocking adjoining
  neighboring neighbouring rotating spinning winding sprawling bustling sloping smoking steaming
  boiling setting blossoming ripening waving bucking snarling yawning panting begging performing
  parading protesting marching`)

/** Nouns that make a modifier with a participle: "snow covered field", "tree lined street". */
export const COMPOUND_PARTICIPLES = setOf(`
  covered lined shaped colored coloured filled sized themed topped flavored flavoured based clad
  painted powered operated drawn made built styled patterned coated dusted capped strewn soaked
  encrusted laden stained framed paved scented haired eyed skinned legged tailed faced winged
  sleeved breasted headed handed footed toned roofed walled wheeled seated decked engined motored
  dressed bound striped printed embroidered trimmed`)

/** Participles and pasts without -ed that compromise does not know as such. */
export const IRREGULAR_PARTICIPLES = setOf(`
  sunken shaven unshaven unlit cut strung bent set spread wound split slit knit hurt outstretched
  upturned run-down sawn born borne done ground clad`)

/** Forms that are past tense and never a participle. */
export const IRREGULAR_PASTS = setOf(`
  ate began bit blew broke came chose did drank drew drove fell flew forgot gave grew hid knew lay
  rang ran rose sang sank saw shook slept spoke stole stood swam swore swung sat threw took tore
  went woke wore wrote won got felt heard wept leapt dove became fought meant sought dealt rode
  understood`)

/** Verbs that captions never use as nouns, and that compromise lacks or reads as nouns. */
export const VERBS = setOf(`
  sit eat wear hold carry lean perform enjoy participate prepare appear seem approach enter gather
  celebrate chat converse sleep swim fly sing bring take get go come see make give keep let put
  tell say know think become begin find feel leave lose meet pay read send sell speak spend teach
  understand write lie stare gaze grab pose ski snowboard surf peer perch graze crouch squat kneel
  stretch lounge relax browse travel wait await interact compete assemble attend attempt balance
  operate observe examine inspect hug`)

/** What stands after the words of ING_COMPOUND. */
export const ING_COMPOUND_HEADS = setOf(`
  table tables pool pools lot lots room rooms gear board boards machine machines suit suits trunks
  cap caps boots shoes boat boats rod rods pole poles line lines meter meters garage space spaces
  area areas bag bags chair chairs station stations stick sticks path trail track hall court field
  ring rink alley alleys ball net cage shorts pants outfit equipment truck crew team instructor
  lesson bike pan tent helmet goggles cart carts mall center store counter booth glove gloves
  jersey lights light game match competition event pot pots season wheel wall vest dress lane ramp
  sign signs jacket uniform hat car cars pin pins bowl cone iron bucket plane jet school wear
  clothes rack racks device devices ground grounds site arts band bands orchestra`)
