// SPDX-License-Identifier: MIT
#include "experiments/data/corpus.h"

#include <chrono>
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

std::string refusal(const std::filesystem::path& path) {
  try {
    load_corpus(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

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

TEST_CASE("links count by their own names, as a hub's cache lays them") {
  const Scratch folder;
  const auto link = [&](const std::string& to, const std::string& name) {
    std::filesystem::create_directories((folder.path() / name).parent_path());
    std::filesystem::create_symlink(folder.path() / to, folder.path() / name);
  };
  // By the names of their blobs the test text would be the first, and trained on.
  for (const auto& [blob, split] : {std::pair("a", "test"), {"b", "valid"}, {"c", "train"}}) {
    folder.write(std::string("blobs/") + blob, std::string("text of ") + split);
    link(std::string("blobs/") + blob, std::string("snapshot/wiki.") + split + ".raw");
  }
  const auto wiki = load_corpus(folder.path() / "snapshot");
  CHECK(wiki->split(Split::kTrain)[0].text == "text of train");
  CHECK(wiki->split(Split::kValid)[0].text == "text of valid");
  CHECK(wiki->split(Split::kTest)[0].text == "text of test");
  CHECK(names(*wiki, Split::kTest) == Names{"wiki.test.raw"});

  for (const char* name : {"of_train/1.txt", "of_valid/2.txt", "of_test/3.txt"}) {
    folder.write(std::string("stored/") + name, name);
  }
  link("stored/of_train", "books/train");
  link("stored/of_valid", "books/validation");
  link("stored/of_test", "books/test");
  const auto books = load_corpus(folder.path() / "books");
  CHECK(names(*books, Split::kTrain) == Names{"train/1.txt"});
  CHECK(names(*books, Split::kTest) == Names{"test/3.txt"});

  link("books", "linked");
  CHECK(load_corpus(folder.path() / "linked")->name == "linked");
  link("blobs/a", "one.txt");
  CHECK(load_corpus(folder.path() / "one.txt")->split(Split::kTest)[0].name == "one.txt");
}

TEST_CASE("links that lead nowhere, or in a circle, are refused by name") {
  const Scratch folder;
  for (const char* name : {"a/1.txt", "a/2.txt", "a/3.txt", "b/1.txt", "b/2.txt", "b/3.txt"}) {
    folder.write(name, name);
  }
  std::filesystem::create_symlink(folder.path() / "gone.txt", folder.path() / "a/4.txt");
  CHECK_THAT(refusal(folder.path() / "a"), ContainsSubstring("a/4.txt: a broken link"));
  CHECK_THAT(refusal(folder.path() / "a/4.txt"), ContainsSubstring("broken link"));
  std::filesystem::create_directory(folder.path() / "b/c");
  std::filesystem::create_symlink(folder.path() / "b", folder.path() / "b/c/up");
  CHECK_THAT(refusal(folder.path() / "b"), ContainsSubstring("b/c/up: a link to a folder that"));
  std::filesystem::create_symlink("x", folder.path() / "y");
  std::filesystem::create_symlink("y", folder.path() / "x");
  CHECK_THAT(refusal(folder.path() / "x"), ContainsSubstring("/x: "));
}

TEST_CASE("what is no text is refused with what it is and what to do") {
  const Scratch folder;
  const std::string text(300, 'x');
  const auto said = [&](const std::string& name, const std::string& bytes) {
    return refusal(folder.write(name, bytes));
  };
  CHECK_THAT(said("book.txt.gz", "\x1f\x8b" + text), ContainsSubstring("gunzip"));
  CHECK_THAT(said("book.txt", "\x1f\x8b" + text), ContainsSubstring("gunzip"));
  CHECK_THAT(said("enwik8.zip", "PK\x03\x04" + text), ContainsSubstring("unzip"));
  CHECK_THAT(said("t.parquet", "PAR1" + text), ContainsSubstring("Parquet"));
  CHECK_THAT(said("t.npy", "\x93NUMPY" + text), ContainsSubstring("NumPy"));
  CHECK_THAT(said("t.tar", text.substr(0, 257) + "ustar" + text), ContainsSubstring("tar archive"));
  CHECK_THAT(said("utf16.txt", std::string("\xff\xfeh\0i\0", 6)), ContainsSubstring("iconv"));
  CHECK_THAT(said("be.txt", std::string("\0h\0i\0 \0t", 8)), ContainsSubstring("UTF-16"));
  CHECK_THAT(said("bin.txt", text + std::string(2, '\0') + text), ContainsSubstring("NUL"));
  // Inside a folder, by its bytes and by its name.
  for (const char* packed : {"c/4.txt", "d/4.txt.gz"}) {
    const std::string of = std::string(packed).substr(0, 2);
    for (const char* name : {"1.txt", "2.txt", "3.txt"}) folder.write(of + name, text);
    folder.write(packed, "\x1f\x8b" + text);
    CHECK_THAT(refusal(folder.path() / of),
               ContainsSubstring(packed + 2) && ContainsSubstring("gunzip it first"));
  }
}

TEST_CASE("hidden files are left out and counted, and so is what no split takes") {
  const Scratch folder;
  for (const char* name :
       {"train/1.txt", "test/2.txt", "train/._1.txt", "__MACOSX/train/3.txt", ".git/test/4.txt",
        "train/.ipynb_checkpoints/5.txt", "metadata.csv", "extra.txt", "README.md"}) {
    folder.write(name, std::string("text of ") + name);
  }
  const auto corpus = load_corpus(folder.path());
  CHECK(names(*corpus, Split::kTrain) == Names{"train/1.txt"});
  CHECK(names(*corpus, Split::kTest) == Names{"test/2.txt"});
  const auto described = describe_corpus(*corpus);
  CHECK(described.at("files_read") == 2);
  CHECK(described.at("files_left_out") == 6);
  CHECK(described.at("splits").at("train").at("bytes") == 19);
  CHECK_THAT(described.at("left_out").dump(), ContainsSubstring("no split in its name"));
  CHECK_THAT(corpus_notice(*corpus), ContainsSubstring("6 files left out"));
  CHECK(corpus_notice(*load_corpus("")).empty());
}

TEST_CASE("a title or a text on both sides is a warning") {
  const Scratch folder, articles;
  folder.write("train/emma.txt", "one text");
  folder.write("train/other.txt", "another text");
  folder.write("test/emma.txt", "a third text");
  folder.write("test/copy.txt", "another text");
  const std::string said = corpus_notice(*load_corpus(folder.path()));
  CHECK_THAT(said, ContainsSubstring("'emma'") && ContainsSubstring("warning"));
  CHECK_THAT(said, ContainsSubstring("train/other.txt (train) and test/copy.txt (test) are the"));
  articles.write("wiki.train.raw", " \n = A title = \n\n text \n = = A section = = \n");
  articles.write("wiki.test.raw", " \n = Another = \n\n text \n = = A section = = \n");
  CHECK(load_corpus(articles.path())->warnings.empty());
  articles.write("more/wiki.train.raw", " \n = A title = \n\n text \n");
  articles.write("more/wiki.test.raw", " \n = A title = \n\n other \n");
  CHECK_THAT(corpus_notice(*load_corpus(articles.path() / "more")), ContainsSubstring("'A title'"));
}

TEST_CASE("a file that is written after it was read is noticed, one that takes its name is not") {
  const Scratch folder;
  const auto file = folder.write("mine.txt", std::string(100, 'a'));
  const auto corpus = load_corpus(file);
  CHECK_NOTHROW(require_unchanged(*corpus));
  folder.write("new.txt", std::string(100, 'c'));
  std::filesystem::rename(file, folder.path() / "kept.txt");
  std::filesystem::rename(folder.path() / "new.txt", file);
  CHECK_NOTHROW(require_unchanged(*corpus));
  std::filesystem::rename(folder.path() / "kept.txt", file);
  folder.write("mine.txt", std::string(100, 'b'));
  std::filesystem::last_write_time(
      file, std::filesystem::file_time_type::clock::now() + std::chrono::seconds(1));
  CHECK_THROWS_AS(require_unchanged(*corpus), InputError);
}

TEST_CASE("data sets have names, which a file of the user's goes before") {
  CHECK(load_corpus("austen")->digest == load_corpus("")->digest);
  CHECK_THAT(refusal("austin"), ContainsSubstring("did you mean 'austen'?"));
}

TEST_CASE("words are runs without white space") {
  CHECK(count_words("") == 0);
  CHECK(count_words(" \n\t") == 0);
  CHECK(count_words("It is a truth,\n  universally") == 5);
  CHECK(count_words("one ") == 1);
}
