/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Whose a function is, as names of C++ and Rust tell it.
 */
#include "report/glue.h"
#include "test.h"

static bool is(const char *name)
{
    return name_is_glue((struct model_str){name, (uint32_t)strlen(name)});
}

TEST(what_the_standard_library_of_cpp_calls_itself_with_is_its_own)
{
    CHECK(is("std::__new_allocator<shop::item>::allocate(unsigned long, void const*)"));
    CHECK(is("std::vector<int, std::allocator<int> >::_M_realloc_insert<int const&>(int*)"));
    CHECK(is("void std::vector<shop::item>::emplace_back<shop::item>(shop::item&&)"));
    CHECK(is("std::pair<int, bool> std::_Rb_tree<int>::_M_insert_unique<int>(int&&)"));
    CHECK(is("__gnu_cxx::new_allocator<char>::allocate"));
    CHECK(is("operator new(unsigned long)"));
    CHECK(is("std::unique_lock<std::mutex>::lock()"));
    CHECK(is("__gthread_mutex_lock(pthread_mutex_t*)"));
}

TEST(what_a_program_wrote_is_the_programs_whatever_it_returns_or_is_made_with)
{
    CHECK(!is("main"));
    CHECK(!is("shop::cart::add(std::vector<int> const&)"));
    CHECK(!is("std::vector<int> shop::sizes<std::string>(std::string)"));
    CHECK(!is("std::string operator+<shop::item>(shop::item const&)"));
    CHECK(!is("(anonymous namespace)::parse(char const*)"));
    CHECK(!is("shop::list<std::pair<int, int> >::operator<(shop::list<int> const&) const"));
    CHECK(!is("stdx::f"));
    CHECK(!is("main.(*server).handle"));
    CHECK(!is(""));
    CHECK(!is("std"));
}

TEST(a_method_of_rust_is_that_of_its_type_and_else_of_its_trait)
{
    CHECK(is("alloc::raw_vec::RawVecInner<A>::finish_grow"));
    CHECK(is("<alloc::alloc::Global as core::alloc::Allocator>::grow"));
    CHECK(is("<alloc::alloc::Global>::grow_impl_runtime"));
    CHECK(is("<alloc::vec::Vec<shop::Item> as core::iter::FromIterator<shop::Item>>::from_iter"));
    CHECK(is("<i32 as alloc::string::SpecToString>::spec_to_string"));
    CHECK(is("<[T]>::to_vec"));
    CHECK(is("alloc::slice::<impl [T]>::join"));
    CHECK(is("<fn(u8) -> u8 as core::ops::function::Fn<(u8)>>::call"));
    CHECK(is("__rust_alloc"));
    CHECK(!is("<shop::Item as core::clone::Clone>::clone"));
    CHECK(!is("<&shop::Item as core::fmt::Debug>::fmt"));
    CHECK(!is("<u64 as shop::Price>::of"));
    CHECK(!is("shop::parse::{{closure}}"));
    CHECK(!is("r::main"));
}

TEST(a_file_of_the_standard_library_tells_what_has_no_scope)
{
    CHECK(file_is_glue(MODEL_STR("/usr/include/c++/12/condition_variable")));
    CHECK(file_is_glue(MODEL_STR("/rustc/0123456789abcdef/library/core/src/slice/mod.rs")));
    CHECK(!file_is_glue(MODEL_STR("/src/c++/shop.cc")));
    CHECK(!file_is_glue(MODEL_STR("")));
}

TEST_MAIN()
