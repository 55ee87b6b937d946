// That the interface is enough: an implementation without files passes the suite.

import { createMemory, createMemoryStore, killOwners } from '../helpers/memory-store.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { describeRunStore } from './run-store-suite.ts'

describeRunStore('createMemoryStore', async () => {
  const memory = createMemory(await temporaryFolder())
  return {
    open: () => createMemoryStore(memory),
    killAll: async () => {
      killOwners(memory)
    },
  }
})
