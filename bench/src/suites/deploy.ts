import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyService, type Deployed, startNetwork } from '../lib/network.ts'
import type { SuiteOptions } from './suite.ts'

const EXAMPLES = join(import.meta.dirname, '../../../examples')

/** `serverless deploy` of the example, by step: all new, nothing changed, one function changed. */
export async function deploy({ results }: SuiteOptions): Promise<void> {
  const service = copyService(EXAMPLES)
  const began = performance.now()
  const network = await startNetwork([])
  try {
    const ready = (performance.now() - began) / 1000
    const startSteps = Object.entries(network.steps).map(([step, ms]) => `${step} ${(ms / 1000).toFixed(1)}`)
    results.add({ name: 'peerhost dev, 3 workers: ready', value: ready, unit: 's', note: startSteps.join(', ') })
    const add = (what: string, { ms, steps }: Deployed) => {
      const known = Object.entries(steps)
      const rest = ms / 1000 - known.reduce((sum, [, seconds]) => sum + seconds, 0)
      const note = known.map(([step, seconds]) => `${step} ${seconds}`).join(', ')
      results.add({ name: `deploy of the example, ${what}`, value: ms / 1000, unit: 's', note })
      for (const [step, value] of known) results.add({ name: `deploy, ${what}: ${step}`, value, unit: 's' })
      results.add({ name: `deploy, ${what}: start of Serverless and the rest`, value: rest, unit: 's' })
    }
    add('all new', await network.deploy(service))
    add('nothing changed', await network.deploy(service))
    const file = join(service.dir, 'src/webhook.js')
    writeFileSync(file, `${readFileSync(file, 'utf8')}\nexport const changed = true\n`)
    add('one function changed', await network.deploy(service))
  } finally {
    await network.stop()
    service.remove()
  }
}
