import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type Hex, type SumLeaf, SumTree, verifySumProof } from '../index.ts'

const trees = JSON.parse(readFileSync(new URL('../../vectors/trees.json', import.meta.url), 'utf8')) as {
  leaves: { key: Hex; reference: Hex; weight: string }[]
  root: Hex
  sum: string
}[]
const leavesOf = (list: { key: Hex; reference: Hex; weight: string }[]): SumLeaf[] =>
  list.map((leaf) => ({ ...leaf, weight: BigInt(leaf.weight) }))

test('roots and sums are those of the committed vectors', () => {
  for (const { leaves, root, sum } of trees) {
    const tree = new SumTree(leavesOf(leaves))
    assert.equal(tree.root, root)
    assert.equal(tree.sum, BigInt(sum))
  }
})

test('each leaf has a proof, which proves that leaf at that place alone', () => {
  for (const { leaves: list } of trees) {
    const leaves = leavesOf(list)
    const tree = new SumTree(leaves)
    leaves.forEach((leaf, index) => {
      const proof = tree.proof(index)
      assert.equal(verifySumProof(tree.root, leaf, proof), true)
      assert.equal(verifySumProof(tree.root, { ...leaf, weight: leaf.weight + 1n }, proof), false)
      assert.equal(verifySumProof(tree.root, { ...leaf, reference: leaf.key }, proof), false)
      if (leaves.length > 1)
        assert.equal(verifySumProof(tree.root, leaf, { ...proof, index: (index + 1) % leaves.length }), false)
      assert.equal(verifySumProof(tree.root, leaf, { ...proof, count: proof.count + 1 }), false)
      const shifted = proof.siblings.map((sibling, depth) =>
        depth === 0 ? { ...sibling, sum: sibling.sum + 1n } : sibling,
      )
      if (shifted.length > 0) assert.equal(verifySumProof(tree.root, leaf, { ...proof, siblings: shifted }), false)
    })
  }
})

test('an empty tree, a place beyond its leaves and a weight beyond uint96 are refused', () => {
  const leaf: SumLeaf = { key: `0x${'11'.repeat(32)}`, reference: `0x${'22'.repeat(32)}`, weight: 1n }
  assert.throws(() => new SumTree([]), RangeError)
  assert.throws(() => new SumTree([leaf]).proof(1), RangeError)
  assert.throws(() => new SumTree([{ ...leaf, weight: 2n ** 96n }]), RangeError)
  assert.throws(() => new SumTree([{ ...leaf, weight: 2n ** 96n - 1n }, leaf]), RangeError)
})
