// SPDX-License-Identifier: Apache-2.0
// What is due next, whenever the wishes change while a request is under way.
#include <gtest/gtest.h>

#include "userspace/registration/registered_keys.h"

namespace ambbpf {
namespace {

using KeyState = RegisteredKey::State;
using TaskKind = RegisteredKeys::Task::Kind;
using FoundKind = EtcdFound::Kind;

EtcdFound ours(std::uint64_t index) { return {FoundKind::kOurs, index, {}}; }
const EtcdFound kLost{};
const EtcdFound kOther{FoundKind::kOther, 0, "theirs"};
const EtcdFound kRefused{FoundKind::kRefused, 0, "no"};

KeyState state_of(const RegisteredKeys& keys) { return keys.list().at(0).state; }

// Holds "a" with `value`, written at 7.
RegisteredKeys kept(const std::string& value = "1") {
  RegisteredKeys keys;
  keys.want({{"a", value}});
  keys.put_done(keys.take_next().value(), ours(7));
  return keys;
}

TEST(RegisteredKeys, WhatIsWantedIsWrittenOnce) {
  auto keys = kept();
  EXPECT_EQ(state_of(keys), KeyState::kKept);
  keys.want({{"a", "1"}});
  EXPECT_FALSE(keys.take_next());
  EXPECT_EQ(keys.counts().writes, 1U);
}

TEST(RegisteredKeys, WhatWasNeverSentNeedsNoDeletion) {
  RegisteredKeys keys;
  keys.want({{"a", "1"}});
  keys.want({});
  EXPECT_TRUE(keys.empty());
}

TEST(RegisteredKeys, UnwantedDuringItsWriteIsDeletedAfterIt) {
  RegisteredKeys keys;
  keys.want({{"a", "1"}});
  const auto put = keys.take_next().value();
  keys.want({});
  keys.put_done(put, ours(7));
  const auto removal = keys.take_next().value();
  EXPECT_EQ(removal.kind, TaskKind::kRemove);
  EXPECT_EQ(removal.key.index, 7U);
  keys.remove_done(removal, ours(0));
  EXPECT_TRUE(keys.empty());
}

TEST(RegisteredKeys, UnwantedDuringAWriteThatIsRefusedIsDropped) {
  RegisteredKeys keys;
  keys.want({{"a", "1"}});
  const auto put = keys.take_next().value();
  keys.want({});
  keys.put_done(put, kRefused);
  EXPECT_TRUE(keys.empty());
}

TEST(RegisteredKeys, UnwantedDuringAWriteThatAnotherWonIsDropped) {
  auto keys = kept();
  keys.keep_done(keys.to_keep(), {kLost});
  const auto put = keys.take_next().value();
  EXPECT_EQ(put.kind, TaskKind::kPutUnlessOthers);
  keys.want({});
  keys.put_done(put, kOther);
  EXPECT_TRUE(keys.empty());
}

TEST(RegisteredKeys, ChangedDuringItsWriteIsWrittenAgain) {
  RegisteredKeys keys;
  keys.want({{"a", "1"}});
  const auto first = keys.take_next().value();
  keys.want({{"a", "2"}});
  keys.put_done(first, ours(7));
  EXPECT_EQ(state_of(keys), KeyState::kPending);
  const auto second = keys.take_next().value();
  EXPECT_EQ(second.kind, TaskKind::kPut);
  EXPECT_EQ(second.key.value, "2");
  EXPECT_EQ(second.before->index, 7U);
}

TEST(RegisteredKeys, ChangedDuringAWriteThatIsRefusedIsTriedAtOnce) {
  RegisteredKeys keys;
  keys.want({{"a", "1"}});
  const auto first = keys.take_next().value();
  keys.want({{"a", "2"}});
  keys.put_done(first, kRefused);
  EXPECT_EQ(keys.take_next().value().key.value, "2");
}

TEST(RegisteredKeys, RefusedChangeLeavesTheOldValueOurs) {
  auto keys = kept();
  keys.want({{"a", "2"}});
  keys.put_done(keys.take_next().value(), kRefused);
  EXPECT_FALSE(keys.take_next()) << "not before the next beat";
  EXPECT_TRUE(keys.any_refused());
  keys.want({});
  const auto removal = keys.take_next().value();
  EXPECT_EQ(removal.key.value, "1");
  EXPECT_EQ(removal.key.index, 7U);
}

TEST(RegisteredKeys, WantedAgainDuringItsDeletionIsWrittenAfterIt) {
  auto keys = kept();
  keys.want({});
  const auto removal = keys.take_next().value();
  keys.want({{"a", "1"}});
  keys.remove_done(removal, ours(0));
  EXPECT_EQ(state_of(keys), KeyState::kPending);
  EXPECT_EQ(keys.take_next().value().kind, TaskKind::kPut);
}

TEST(RegisteredKeys, UnwantedDuringARefreshIsDeletedAtItsNewIndex) {
  auto keys = kept();
  const auto asked = keys.to_keep();
  keys.want({});
  keys.keep_done(asked, {ours(9)});
  EXPECT_EQ(keys.take_next().value().key.index, 9U);
}

TEST(RegisteredKeys, ChangedDuringALookIsNotTakenForOvertaken) {
  auto keys = kept();
  const auto asked = keys.to_keep();
  keys.want({{"a", "2"}});
  keys.keep_done(asked, {kOther});
  EXPECT_EQ(state_of(keys), KeyState::kPending);
  EXPECT_EQ(keys.take_next().value().kind, TaskKind::kPut);
}

TEST(RegisteredKeys, IndexIsNotTrustedAfterARefreshWithoutAnAnswer) {
  auto keys = kept();
  keys.keep_failed(keys.to_keep());
  keys.want({});
  EXPECT_EQ(keys.take_next().value().key.index, 0U);
}

TEST(RegisteredKeys, WriteThatNobodyAnswersIsDueAgainAfterTheOthers) {
  RegisteredKeys keys;
  keys.want({{"a", "1"}, {"b", "1"}});
  EXPECT_EQ(keys.take_next().value().key.key, "a");
  const auto other = keys.take_next().value();
  EXPECT_EQ(other.key.key, "b");
  keys.put_done(other, ours(7));
  EXPECT_EQ(keys.take_next().value().key.key, "a");
  keys.want({});
  const auto removal = keys.take_next().value();
  EXPECT_EQ(removal.key.key, "b");
  EXPECT_EQ(removal.kind, TaskKind::kRemove);
}

TEST(RegisteredKeys, NewKeysStandBeforeOldOnesGo) {
  auto keys = kept();
  keys.want({{"b", "1"}});
  EXPECT_EQ(keys.take_next().value().key.key, "b");
}

TEST(RegisteredKeys, OvertakenIsLookedAtAndNotDeleted) {
  auto keys = kept();
  keys.keep_done(keys.to_keep(), {kOther});
  EXPECT_EQ(state_of(keys), KeyState::kOvertaken);
  EXPECT_EQ(keys.list()[0].note, "'theirs'");
  EXPECT_EQ(keys.to_keep().size(), 1U);
  EXPECT_FALSE(keys.take_next());
  keys.want({});
  EXPECT_TRUE(keys.empty());
}

TEST(RegisteredKeys, WhatIsLeftOverAndNotWantedIsDeletedAsItStood) {
  auto keys = kept();
  keys.adopt({{"a", "old", 3}, {"b", "2", 5}});
  const auto task = keys.take_next();
  ASSERT_TRUE(task);
  EXPECT_EQ(task->kind, TaskKind::kRemove);
  EXPECT_EQ(task->key, (OwnKey{"b", "2", 5}));
  keys.remove_done(*task, ours(0));
  EXPECT_FALSE(keys.take_next());
  EXPECT_EQ(keys.size(), 1U);
}

}  // namespace
}  // namespace ambbpf
