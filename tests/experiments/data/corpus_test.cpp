// SPDX-License-Identifier: MIT
#include "experiments/data/corpus.h"

#include <set>

#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace lavo;

namespace {

std::vector<std::string> names(const Corpus& corpus, Split split) {
  std::vector<std::string> result;
  for (const Document& d : corpus.split(split)) result.push_back(d.name);
  return result;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("the novels are divided by document") {
  const auto corpus = load_corpus("");
  CHECK(corpus->name == "austen");
  CHECK(names(*corpus, Split::kTrain) == Names{"emma.txt", "mansfield_park.txt",
                                               "northanger_abbey.txt",
                                               "sense_and_sensibility.txt"});
  CHECK(names(*corpus, Split::kValid) == Names{"persuasion.txt"});
  CHECK(names(*corpus, Split::kTest) == Names{"pride_and_prejudice.txt"});
  CHECK(corpus->split(Split::kTest)[0].text.size() == 684768);
}

TEST_CASE("folders as PG-19 and WikiText distribute them") {
  const Scratch pg19;
  for (const char* name : {"train/1.txt", "train/2.txt", "validation/3.txt", "test/4.txt"}) {
    pg19.write(name, std::string("text of ") + name);
  }
  pg19.write("metadata.csv", "1,title,1900");
  const auto books = load_corpus(pg19.path());
  CHECK(names(*books, Split::kTrain) == Names{"train/1.txt", "train/2.txt"});
  CHECK(names(*books, Split::kValid) == Names{"validation/3.txt"});
  CHECK(names(*books, Split::kTest) == Names{"test/4.txt"});

  const Scratch wikitext;
  for (const char* name : {"wiki.train.raw", "wiki.valid.raw", "wiki.test.raw"}) {
    wikitext.write(name, name);
  }
  const auto wiki = load_corpus(wikitext.path());
  CHECK(wiki->split(Split::kTrain)[0].text == "wiki.train.raw");
  CHECK(wiki->split(Split::kValid)[0].text == "wiki.valid.raw");
  CHECK(wiki->split(Split::kTest)[0].text == "wiki.test.raw");
}

TEST_CASE("other folders: no document on two sides, every document on one") {
  const size_t count = GENERATE(3, 9, 10, 25);
  const Scratch folder;
  for (size_t i = 0; i < count; ++i) {
    folder.write(fmt::format("book{:02}.txt", i), fmt::format("this is book {}", i));
  }
  folder.write("README.md", "no document");
  folder.write("empty.txt", "");
  const auto corpus = load_corpus(folder.path());
  std::multiset<std::string> all;
  for (const auto& documents : corpus->documents) {
    CHECK(!documents.empty());
    for (const Document& d : documents) all.insert(d.name);
  }
  CHECK(all.size() == count);
  CHECK(std::set<std::string>(all.begin(), all.end()).size() == count);
}

TEST_CASE("one file is cut by position without a gap or an overlap") {
  const Scratch folder;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i) + ' ';
  const auto corpus = load_corpus(folder.write("mine.txt", text));
  std::string joined;
  for (const auto& documents : corpus->documents) joined += documents.at(0).text;
  CHECK(joined == text);
  CHECK(corpus->split(Split::kTrain)[0].text.size() == text.size() * 8 / 10);
}

TEST_CASE("the digest is of the content: not of the place, but of every byte and of the division") {
  const Scratch a, b, c, d;
  for (const Scratch* folder : {&a, &b, &c}) {
    folder->write("train/x.txt", "some text");
    folder->write("test/y.txt", folder == &c ? "other texT" : "other text");
  }
  d.write("train/y.txt", "other text");
  d.write("test/x.txt", "some text");
  const std::string digest = load_corpus(a.path())->digest;
  CHECK(digest == load_corpus(b.path())->digest);
  CHECK(digest != load_corpus(c.path())->digest);
  CHECK(digest != load_corpus(d.path())->digest);
}

TEST_CASE("a corpus that cannot be used is refused with its name") {
  const Scratch folder;
  const auto refusal = [](const std::filesystem::path& path) {
    try {
      load_corpus(path);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(refusal(folder.path() / "nowhere"), ContainsSubstring("nowhere"));
  CHECK_THAT(refusal(folder.path()), ContainsSubstring("no text in it"));
  folder.write("a.txt", "text");
  folder.write("b.txt", "text");
  folder.write("splits.json", R"({"train": ["a.txt"], "tset": ["b.txt"]})");
  CHECK_THAT(refusal(folder.path()), ContainsSubstring("did you mean 'test'?"));
  folder.write("splits.json", R"({"train": ["a.txt"], "test": ["c.txt"]})");
  CHECK_THAT(refusal(folder.path()), ContainsSubstring("\"c.txt\" is no text of this folder"));
  folder.write("splits.json", R"({"train": ["a.txt"], "test": ["a.txt"]})");
  CHECK_THAT(refusal(folder.path()), ContainsSubstring("listed twice"));
  folder.write("splits.json", R"({"train": ["a.txt"]})");
  CHECK_THAT(refusal(folder.path()), ContainsSubstring("no text to test on"));
  folder.write("splits.json", "{");
  CHECK_THAT(refusal(folder.path()), ContainsSubstring("splits.json:1:"));
}

TEST_CASE("words are runs without white space") {
  CHECK(count_words("") == 0);
  CHECK(count_words(" \n\t") == 0);
  CHECK(count_words("It is a truth,\n  universally") == 5);
  CHECK(count_words("one ") == 1);
}
