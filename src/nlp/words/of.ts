// What stands before "of".

import { setOf } from './list.ts'

/** Groups, parts and containers: the whole is one thing to draw a box around. */
export const GROUPS = setOf(`
  group couple bunch pair herd flock crowd team pack pile stack row line set number lot piece slice
  plate bowl cup glass mug bottle can jar box bag basket bucket tray pitcher bouquet cluster
  collection array assortment variety school pride swarm litter loaf stick bundle bale heap mound
  handful gaggle series dozen hundred thousand ton kind-of gang band troop troupe squad platoon
  crew choir class family army sheet roll bar block cube wedge chunk strip string circle ring bed
  field patch body carton case crate pot pan sack spoonful scoop serving helping portion mix
  mixture selection range trio duo quartet half rack layer clump tuft blob drop spot splash wave
  puff cloud stream length scrap majority plenty load`)
