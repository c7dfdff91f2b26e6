import assert from 'node:assert/strict'
import { test } from 'node:test'
import { awsVariableSources, hasStandIn } from './aws-variables.ts'

const resolve = async (configuration: unknown, source: string, address: string) =>
  (await awsVariableSources(() => configuration)[source]!.resolve({ address })).value

test('a fallback is taken, also where the address has variables in it', async () => {
  const taken: [string, string, string][] = [
    ["${ssm:/table, 'local'}", 'ssm', '/table'],
    ["x ${ssm(eu-west-1):/${sls:stage}/table~true, 'local'} y", 'ssm', '/dev/table~true'],
    ["${cf:stack-${opt:stage, 'dev'}.Out, ''}", 'cf', 'stack-dev.Out'],
    ['${self:custom.a, ${aws:region, 1}}', 'aws', 'region'],
  ]
  for (const [text, source, address] of taken)
    assert.equal(await resolve({ custom: [{ text }] }, source, address), null, text)
})

test('without one there is a stand-in, which is known where it is used', async () => {
  const configuration = {
    provider: { vpc: '${ssm:/vpc}', arn: "arn:${aws:region}:${aws:accountId}:${self:custom.x, 'y'}" },
    other: "${ssm:/vpc2, 'local'}",
  }
  for (const [source, address] of [
    ['ssm', '/vpc'],
    ['aws', 'region'],
    ['aws', 'accountId'],
  ] as const) {
    const value = await resolve(configuration, source, address)
    assert.ok(hasStandIn(value) && hasStandIn(`a ${value} b`), `${source}:${address}`)
    assert.ok(value!.includes(`${source}:${address}`))
  }
  assert.equal(hasStandIn('plain'), false)
  assert.equal(hasStandIn(1), false)
})
